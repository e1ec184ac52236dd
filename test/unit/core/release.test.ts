import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { RELEASE } from '../../../src/core/release.ts'

it('ok: the release is that of package.json', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../../package.json'), 'utf8')
  expect(RELEASE).toBe((JSON.parse(text) as { version: string }).version)
})
