/** The rows that an order writes, as the test of their budget counts them in workerd: D1 says so itself, objects per key and alarm. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const TEST = join('test', 'objects', 'rows-written.test.ts')

/** One line for the table's page. Throws where the test fails or has not said what it counted. */
export function benchRows(): string {
  const args = ['run', '--config', 'vitest.objects.config.ts', TEST]
  const run = spawnSync(join('node_modules', '.bin', 'vitest'), args, { encoding: 'utf8' })
  const counted = /rows written per order: (\d+) in D1, (\d+) in objects/.exec(run.stdout)
  if (run.status !== 0 || counted === null) throw new Error(`the rows were not counted:\n${run.stdout}${run.stderr}`)
  const [inD1, inObjects] = [Number(counted[1]), Number(counted[2])]
  return `Rows written per order (a name and its wildcard): ${inD1 + inObjects}, of them ${inD1} in D1 and ${inObjects} in objects.`
}
