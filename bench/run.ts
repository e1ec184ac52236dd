/** `npm run bench`: runs the benchmarks and writes their tables into bench/README.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { benchOrders } from './orders.ts'
import { benchRows } from './rows.ts'
import { formatTable } from './table.ts'

const README = join(import.meta.dirname, 'README.md')
const BEGIN = '<!-- measured: written by npm run bench -->'
const END = '<!-- /measured -->'

/** The text with what stands between the marks replaced. Throws where the marks are gone. */
function replaceMeasured(text: string, measured: string): string {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`bench/README.md lacks ${BEGIN} … ${END}`)
  return `${text.slice(0, begin + BEGIN.length)}\n${measured}\n${text.slice(end)}`
}

const rows = benchRows()
const tables = await benchOrders()
const machine = `${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}`
const day = new Date().toISOString().slice(0, 10)
const measured = [
  `Measured on ${day}: ${machine}, Node ${process.versions.node}.`,
  '',
  ...tables.map(formatTable),
  rows,
  '',
].join('\n')
console.info(measured)
writeFileSync(README, replaceMeasured(readFileSync(README, 'utf8'), measured))
process.exit(0)
