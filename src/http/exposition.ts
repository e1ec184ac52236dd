/** Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/. Gauges alone. */

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Sample {
  /** Label values may hold anything. */
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric that can go up and down, and its samples: one for each set of labels. */
export interface Gauge {
  readonly name: string
  /** What it says, as a sentence with its unit. */
  readonly help: string
  readonly samples: readonly Sample[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** The text of those metrics. A metric without samples keeps its HELP and TYPE. Throws TypeError for a name that the format does not take. */
export function exposition(gauges: readonly Gauge[]): string {
  return gauges.flatMap(linesOf).join('\n').concat('\n')
}

function linesOf({ name, help, samples }: Gauge): string[] {
  if (!NAME.test(name)) throw new TypeError(`${name} is no name of a metric`)
  const head = [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} gauge`]
  return [...head, ...samples.map(({ labels = {}, value }) => `${name}${labelsOf(labels)} ${numberOf(value)}`)]
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => {
    if (!LABEL.test(label)) throw new TypeError(`${label} is no name of a label`)
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    return `${label}="${escaped}"`
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function numberOf(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}
