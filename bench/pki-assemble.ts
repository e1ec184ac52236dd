/** What a certificate costs besides its key and its signature: names, extensions, DER and PEM, inside workerd. */
import { startPkiRuntime } from './support/pki-runtime.ts'
import type { Task } from './support/pki-worker.ts'
import { type Contender, formatRates, measureInTurns } from './support/rates.ts'

const ROUNDS = 7
const COUNT = 5_000
/** So much slower that fewer are enough. */
const PECULIAR_COUNT = 500

export async function benchAssemble(): Promise<string> {
  const runtime = await startPkiRuntime()
  try {
    const contender = (name: string, task: Task, count = COUNT): Contender => ({
      name,
      sample: () => runtime.microsecondsEach(task, count),
    })
    const contenders = [
      contender('Certwright, `buildLeaf` and PEM, signature stubbed', 'assemble'),
      contender('@peculiar/x509, the same certificate, signature stubbed', 'assemble-peculiar', PECULIAR_COUNT),
      contender('for comparison: one P-256 signature', 'sign'),
    ]
    for (const each of contenders) await each.sample()
    const rows = await measureInTurns(contenders, ROUNDS)
    return formatRates({ title: 'Assembling a certificate, in workerd', unit: 'µs', digits: 1, rows })
  } finally {
    await runtime.stop()
  }
}
