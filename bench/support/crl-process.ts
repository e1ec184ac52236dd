/**
 * Run as `node bench/support/crl-process.ts <entries> <rounds>`: builds a CRL with so many entries from pages of rows as the database
 * gives them, and prints as JSON how long each took and how much memory the process came to need.
 */
import { createHash } from 'node:crypto'
import { fromHex } from '../../src/core/bytes.ts'
import { buildCrl, type RevokedCertificate } from '../../src/pki/build-crl.ts'
import { DAY_MS, NOW_MS, testRoot } from '../../test/support/pki-hierarchy.ts'

export interface CrlReport {
  readonly samplesMs: readonly number[]
  /** Of a whole process that did it once, Node itself included. */
  readonly peakKib: number
  readonly peakBeforeKib: number
  readonly octets: number
}

const PAGE_ROWS = 5_000
const REASONS = ['key_compromise', 'superseded', 'cessation_of_operation', 'unspecified'] as const

/** 16 octets, sorted nowhere; the first is neither zero nor negative. */
export function serialHexOf(index: number): string {
  return `4${createHash('sha256').update(`serial ${index}`).digest('hex').slice(1, 32)}`
}

export const revokedAtMsOf = (index: number): number => NOW_MS - (index % 5_000) * 60_000
export const reasonOf = (index: number): (typeof REASONS)[number] => REASONS[index % REASONS.length] ?? 'superseded'

interface Row {
  readonly serialNumber: string
  readonly revokedAtMs: number
  readonly reason: (typeof REASONS)[number]
}

const rowOf = (index: number): Row => ({
  serialNumber: serialHexOf(index),
  revokedAtMs: revokedAtMsOf(index),
  reason: reasonOf(index),
})

/** As publishing does it. */
function entryOf({ serialNumber, revokedAtMs, reason }: Row): RevokedCertificate {
  const octets = fromHex(serialNumber)
  if (octets === null) throw new Error('no hex')
  return { serialNumber: octets, revokedAtMs, reason }
}

function* pagesOf(rows: readonly Row[]): Generator<readonly RevokedCertificate[]> {
  for (let start = 0; start < rows.length; start += PAGE_ROWS) yield rows.slice(start, start + PAGE_ROWS).map(entryOf)
}

async function main(count: number, rounds: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, index) => rowOf(index))
  const { issuer } = await testRoot({ type: 'ec', size: 256 })
  const peakBeforeKib = process.resourceUsage().maxRSS
  let peakKib = 0
  let octets = 0
  const samplesMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const startMs = performance.now()
    const times = { thisUpdateMs: NOW_MS, nextUpdateMs: NOW_MS + DAY_MS }
    const { der } = await buildCrl({ issuer, crlNumber: round + 1, ...times, pages: pagesOf(rows) })
    samplesMs.push(performance.now() - startMs)
    if (round === 0) peakKib = process.resourceUsage().maxRSS
    octets = der.length
  }
  console.info(JSON.stringify({ samplesMs, peakKib, peakBeforeKib, octets } satisfies CrlReport))
}

if (import.meta.main) await main(Number(process.argv[2]), Number(process.argv[3]))
