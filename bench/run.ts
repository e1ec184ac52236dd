/** `npm run bench`: runs the benchmarks, or those that are named, and writes their tables into bench/README.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { benchOrders } from './orders.ts'
import { benchAssemble } from './pki-assemble.ts'
import { benchCrl } from './pki-crl.ts'
import { benchIssue } from './pki-issue.ts'
import { benchValidate } from './pki-validate.ts'
import { benchRows } from './rows.ts'
import { formatTable } from './table.ts'

const README = join(import.meta.dirname, 'README.md')

/** Each gives its tables as Markdown. */
const BENCHES: Readonly<Record<string, () => Promise<string>>> = {
  async orders() {
    const rows = benchRows()
    return [...(await benchOrders()).map(formatTable), rows, ''].join('\n')
  },
  issue: benchIssue,
  assemble: benchAssemble,
  crl: benchCrl,
  validate: benchValidate,
}

/** The text with what stands between the marks of that benchmark replaced. Throws where they are gone. */
function replaceMeasured(text: string, name: string, measured: string): string {
  const begin = `<!-- measured: ${name}, written by npm run bench -->`
  const end = `<!-- /measured: ${name} -->`
  const [start, stop] = [text.indexOf(begin), text.indexOf(end)]
  if (start === -1 || stop < start) throw new Error(`bench/README.md lacks ${begin} … ${end}`)
  return `${text.slice(0, start + begin.length)}\n${measured}\n${text.slice(stop)}`
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`there is no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
const machine = `${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const tables = await bench()
  const day = new Date().toISOString().slice(0, 10)
  const measured = `Measured on ${day} with \`npm run bench -- ${name}\`: ${machine}.\n\n${tables}`
  console.info(measured)
  // Read now: others may have written theirs meanwhile.
  writeFileSync(README, replaceMeasured(readFileSync(README, 'utf8'), name, measured))
}
process.exit(0)
