/** Is a cron expression due in this minute? Five fields in UTC: numbers, `*`, lists, ranges and steps. */

const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const

/** `at` is rounded down to its minute. Throws on an expression that it does not understand. */
export function isDue(expression: string, at: Date): boolean {
  const fields = expression.trim().split(/\s+/)
  if (fields.length !== RANGES.length) throw new RangeError(`cron "${expression}" does not have five fields`)
  const now = [at.getUTCMinutes(), at.getUTCHours(), at.getUTCDate(), at.getUTCMonth() + 1, at.getUTCDay()]
  return fields.every((field, index) => {
    const [min, max] = RANGES[index] as readonly [number, number]
    return field.split(',').some((part) => covers(part, min, max, now[index] as number))
  })
}

function covers(part: string, min: number, max: number, value: number): boolean {
  const match = /^(\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part)
  if (match === null) throw new RangeError(`cron field "${part}" is not understood`)
  const step = Number(match[4] ?? 1)
  const from = match[1] === '*' ? min : Number(match[2])
  const single = match[3] === undefined && match[4] === undefined
  const to = match[1] === '*' ? max : single ? from : Number(match[3] ?? max)
  return value >= from && value <= to && (value - from) % step === 0
}
