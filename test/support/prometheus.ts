/**
 * Prometheus' own Python client, which parses what a server exposes, and a parser of PromQL with one of YAML for the rules of alerts: pinned,
 * installed into `.cache` before the first test (install-tools.ts).
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runIn } from './openssl.ts'
import { runSuccessfully } from './process.ts'

const PACKAGES = ['prometheus_client==0.26.0', 'promql-parser==0.12.0', 'pyyaml==6.0.3']
const CACHE_FOLDER = resolve(import.meta.dirname, '../../.cache')
/** The versions are part of the folder's name, so that a change of them installs anew. */
const FOLDER = join(CACHE_FOLDER, `prometheus-${PACKAGES.map((each) => each.split('==')[1]).join('-')}`)
const PYTHON = join(FOLDER, 'bin', 'python')
/** Written last: a folder without it was broken off. */
const DONE = join(FOLDER, 'bin', 'installed')

const INSTALL_TIMEOUT_MS = 300_000

/** Needs Python 3.10 or later with venv; rejects with pip's output where that is missing. Not to be called by two processes at once. */
export async function installPrometheus(): Promise<void> {
  if (existsSync(DONE)) return
  mkdirSync(CACHE_FOLDER, { recursive: true })
  await runSuccessfully('python3', ['-m', 'venv', FOLDER], { timeoutMs: INSTALL_TIMEOUT_MS })
  const pip = ['install', '--quiet', '--disable-pip-version-check', ...PACKAGES]
  await runSuccessfully(join(FOLDER, 'bin', 'pip'), pip, { timeoutMs: INSTALL_TIMEOUT_MS })
  mkdirSync(DONE)
}

export interface ParsedFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  /** Values as text, since JSON has no infinity. */
  readonly samples: readonly {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly value: string
  }[]
}

const PARSE_TEXT = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
text = open('metrics.txt', encoding='utf-8', newline='').read()
print(json.dumps([{'name': f.name, 'type': f.type, 'help': f.documentation,
  'samples': [{'name': s.name, 'labels': s.labels, 'value': repr(float(s.value))} for s in f.samples]}
  for f in text_string_to_metric_families(text)]))
`

/** What the client library reads in an exposition. Rejects with its complaint where it does not parse. */
export async function parseExposition(text: string): Promise<ParsedFamily[]> {
  return JSON.parse(await python(PARSE_TEXT, { 'metrics.txt': text })) as ParsedFamily[]
}

export interface ParsedAlert {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const PARSE_RULES = `
import json, yaml, promql_parser
file = yaml.safe_load(open('rules.yaml', encoding='utf-8'))
rules = [rule for group in file['groups'] for rule in group['rules']]
for rule in rules:
    promql_parser.parse(rule['expr'])
print(json.dumps(rules))
`

/** The alerts of a file of rules. Rejects where it is no YAML, or an expression is no PromQL. */
export async function parseRules(yaml: string): Promise<ParsedAlert[]> {
  return JSON.parse(await python(PARSE_RULES, { 'rules.yaml': yaml })) as ParsedAlert[]
}

async function python(program: string, files: Readonly<Record<string, string>>): Promise<string> {
  const run = await runIn(PYTHON, ['-c', program], files)
  if (run.exitCode !== 0) throw new Error(run.stderr)
  return run.stdout
}
