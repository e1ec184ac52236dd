/** Times and their tables: median, spread, and the ratio to the first row. */

export interface Row {
  readonly name: string
  readonly samplesMs: readonly number[]
}

/** The first row is what the others are compared with. */
export interface Table {
  readonly title: string
  readonly rows: readonly Row[]
}

/** Milliseconds that it took. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

/** Milliseconds of each of so many runs, one after the other. */
export async function timesMs(rounds: number, work: () => Promise<unknown>): Promise<number[]> {
  const samples: number[] = []
  for (let round = 0; round < rounds; round += 1) samples.push(await timeMs(work))
  return samples
}

/** The middle sample; of an even number the mean of the two in the middle. */
export function medianOf(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  if (upper === undefined || lower === undefined) throw new RangeError('no samples')
  return (upper + lower) / 2
}

/** A table as Markdown. */
export function formatTable({ title, rows }: Table): string {
  const [first] = rows
  if (first === undefined) throw new RangeError(`the table "${title}" has no rows`)
  const base = medianOf(first.samplesMs)
  const lines = rows.map(({ name, samplesMs }) => {
    const [least, most] = [Math.min(...samplesMs), Math.max(...samplesMs)].map(seconds)
    const spread = samplesMs.length === 1 ? '' : `${least}–${most} s `
    const median = medianOf(samplesMs)
    return `| ${name} | ${seconds(median)} s | ${spread}| ${(median / base).toFixed(2)} |`
  })
  return [`### ${title}`, '', '| | median | from–to | ratio |', '| --- | ---: | ---: | ---: |', ...lines, ''].join('\n')
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(2)
}
