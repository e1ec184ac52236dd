/**
 * What tests need besides servers, installed and built once before the first of them: files run side by side, and two
 * that install into one folder find half of what the other has written there. For `globalSetup`.
 */
import type { TestProject } from 'vitest/node'
import { buildWorker } from '../../tools/build-worker.ts'
import { installLinters } from './linters.ts'
import { installPrometheus } from './prometheus.ts'
import { installSchemathesis } from './schemathesis.ts'

export default async function installTools({ name }: TestProject): Promise<void> {
  await installLinters()
  await installPrometheus()
  if (name !== 'e2e') return
  await installSchemathesis()
  buildWorker()
}
