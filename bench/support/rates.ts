/** Rates and costs measured in turns, and their tables: median, spread, and the ratio to the first row. */
import { medianOf } from '../table.ts'

export interface Measured {
  readonly name: string
  readonly samples: readonly number[]
}

/** One thing to measure; each call gives one sample. */
export interface Contender {
  readonly name: string
  sample(): Promise<number>
}

/** So many samples of each, in turns, so that what else this machine does falls on all of them alike. */
export async function measureInTurns(contenders: readonly Contender[], rounds: number): Promise<Measured[]> {
  const samples = contenders.map((): number[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) samples[index]?.push(await contender.sample())
  }
  return contenders.map(({ name }, index) => ({ name, samples: samples[index] ?? [] }))
}

export interface RateTable {
  readonly title: string
  /** What the numbers are: `per second`, `µs`. */
  readonly unit: string
  readonly digits?: number
  /** The first is what the others are compared with. */
  readonly rows: readonly Measured[]
}

/** A table as Markdown. */
export function formatRates({ title, unit, digits = 0, rows }: RateTable): string {
  const [first] = rows
  if (first === undefined) throw new RangeError(`the table "${title}" has no rows`)
  const base = medianOf(first.samples)
  const show = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  const lines = rows.map(({ name, samples }) => {
    const spread = samples.length === 1 ? '' : `${show(Math.min(...samples))}–${show(Math.max(...samples))} `
    return `| ${name} | ${show(medianOf(samples))} | ${spread}| ${(medianOf(samples) / base).toFixed(2)} |`
  })
  return [
    `### ${title}`,
    '',
    `| | ${unit}, median | from–to | ratio |`,
    '| --- | ---: | ---: | ---: |',
    ...lines,
    '',
  ].join('\n')
}

/** One row over another: by their medians, and by the best sample of each, which is what other work on the machine disturbed least. */
export function ratiosOf(rows: readonly Measured[], name: string, baseName: string): { median: number; best: number } {
  const samplesOf = (wanted: string): readonly number[] => rows.find((row) => row.name === wanted)?.samples ?? []
  const [samples, base] = [samplesOf(name), samplesOf(baseName)]
  return { median: medianOf(samples) / medianOf(base), best: Math.max(...samples) / Math.max(...base) }
}
