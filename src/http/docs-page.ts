/**
 * The reference as one HTML page, made from the OpenAPI document. Loads nothing, runs nothing: no script, one inline
 * style whose hash the page's policy names.
 */
import { sha256, toBase64, utf8 } from '../core/bytes.ts'
import type { OpenApiDocument } from './openapi.ts'

type Paths = NonNullable<OpenApiDocument['paths']>
type Operation = NonNullable<Paths[string]['get']>
type Schema = { readonly [name: string]: unknown }

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

export interface DocsPage {
  readonly html: string
  /** The Content-Security-Policy that it needs. */
  readonly policy: string
}

/** Renders the document. */
export async function renderDocs(document: OpenApiDocument): Promise<DocsPage> {
  const operations = operationsOf(document)
  const tags = [...new Set(operations.map(({ tag }) => tag))]
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.info.title)} API reference</title>
<style>${STYLE}</style>
</head>
<body>
<nav aria-label="Contents">
<h1>${escapeHtml(document.info.title)}</h1>
${tags.map((tag) => contents(tag, operations)).join('\n')}
${eventContents(document)}
</nav>
<main>
<section>
${markdown(document.info.description ?? '')}
<p>The same as an OpenAPI document: <a href="openapi.json"><code>openapi.json</code></a></p>
</section>
${tags.map((tag) => section(tag, operations, document)).join('\n')}
${eventSection(document)}
<section>
<h2 id="schemas">Schemas</h2>
${Object.entries(document.components?.schemas ?? {})
  .map(([name, schema]) => `<h3 id="schema-${escapeHtml(name)}">${escapeHtml(name)}</h3>${fields(schema as Schema)}`)
  .join('\n')}
</section>
</main>
</body>
</html>`
  const hash = toBase64(await sha256(utf8(STYLE)))
  return { html, policy: `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'` }
}

interface Described {
  readonly tag: string
  readonly method: string
  readonly path: string
  readonly anchor: string
  readonly operation: Operation
}

function operationsOf(document: OpenApiDocument): readonly Described[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method]
      if (operation === undefined) return []
      const anchor = `${method}${path.replaceAll(/[^a-zA-Z0-9]+/g, '-')}`
      return [{ tag: operation.tags?.[0] ?? 'Other', method: method.toUpperCase(), path, anchor, operation }]
    }),
  )
}

function contents(tag: string, operations: readonly Described[]): string {
  const items = operations
    .filter((each) => each.tag === tag)
    .map(({ anchor, method, path }) => `<li><a href="#${anchor}"><b>${method}</b> ${escapeHtml(path)}</a></li>`)
  return `<h2>${escapeHtml(tag)}</h2><ul>${items.join('')}</ul>`
}

function section(tag: string, operations: readonly Described[], document: OpenApiDocument): string {
  const own = operations.filter((each) => each.tag === tag)
  return `<section><h2>${escapeHtml(tag)}</h2>${own.map((each) => article(each, document)).join('\n')}</section>`
}

function article({ anchor, method, path, operation }: Described, document: OpenApiDocument): string {
  return `<article id="${anchor}">
<h3><b>${method}</b> <code>${escapeHtml(path)}</code></h3>
<p><strong>${escapeHtml(operation.summary ?? '')}</strong></p>
${markdown(operation.description ?? '')}
${access(operation)}
${parameters(operation)}
${requestBody(operation)}
${responses(operation, document)}
</article>`
}

const eventsOf = ({ webhooks = {} }: OpenApiDocument): readonly [string, Operation][] =>
  Object.entries(webhooks).flatMap(([name, item]) =>
    item !== undefined && 'post' in item && item.post !== undefined ? [[name, item.post]] : [],
  )

function eventContents(document: OpenApiDocument): string {
  const items = eventsOf(document).map(
    ([name]) => `<li><a href="#event-${escapeHtml(name)}">${escapeHtml(name)}</a></li>`,
  )
  return `<h2>Events</h2><ul>${items.join('')}</ul>`
}

/** What subscriptions deliver: each event with the fields of its `data`, and an example of the whole. */
function eventSection(document: OpenApiDocument): string {
  return `<section><h2 id="events">Events</h2>
<p>What webhooks get: a JSON object as in the examples. Fields may be added in later versions.</p>
${eventsOf(document).map(eventArticle).join('\n')}
</section>`
}

function eventArticle([name, operation]: readonly [string, Operation]): string {
  const body = operation.requestBody
  const json = body !== undefined && 'content' in body ? body.content['application/json'] : undefined
  const data = (json?.schema as { properties?: { data?: Schema } } | undefined)?.properties?.data ?? {}
  return `<article id="event-${escapeHtml(name)}">
<h3><code>${escapeHtml(name)}</code></h3>
${markdown(operation.description ?? '')}
<h4>data</h4>${fields(data)}
<h4>Example</h4><pre>${escapeHtml(JSON.stringify(json?.example, null, 2))}</pre>
</article>`
}

function access(operation: Operation): string {
  const alternatives = (operation.security ?? []).map((each) => Object.values(each).flat().join(', ') || 'any token')
  if (alternatives.length === 0) return ''
  return `<p>Scope: ${alternatives.map((scope) => `<code>${escapeHtml(scope)}</code>`).join(' or ')}</p>`
}

function parameters(operation: Operation): string {
  const rows = (operation.parameters ?? []).flatMap((parameter) => {
    if (!('in' in parameter)) return []
    const schema = (parameter.schema ?? {}) as Schema
    const note = [parameter.description, schema.description].find((text) => typeof text === 'string') ?? ''
    return [
      row(parameter.name, typeOf(schema), `${parameter.in}${parameter.required ? ', required' : ''}`, String(note)),
    ]
  })
  return rows.length === 0 ? '' : `<h4>Parameters</h4>${table(rows)}`
}

function requestBody(operation: Operation): string {
  const body = operation.requestBody
  if (body === undefined || !('content' in body)) return ''
  const schema = body.content['application/json']?.schema as Schema | undefined
  return schema === undefined ? '' : `<h4>Body</h4>${fields(schema)}`
}

function responses(operation: Operation, document: OpenApiDocument): string {
  const rows = Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const content = (response as { content?: Record<string, { schema?: Schema }> }).content ?? {}
    const types = Object.entries(content).map(([mediaType, { schema }]) =>
      mediaType === 'application/json' ? typeOf(schema ?? {}) : `<code>${escapeHtml(mediaType)}</code>`,
    )
    const description = String((response as Schema).description ?? '')
    return `<tr><td><code>${escapeHtml(status)}</code></td><td>${escapeHtml(description)}</td><td>${types.join(', ')}</td></tr>`
  })
  const shown = inlineFields(operation, document)
  return `<h4>Answers</h4><table>${rows.join('')}</table>${shown}`
}

/** The fields of the first JSON answer, where it is no named schema that has its own place. */
function inlineFields(operation: Operation, document: OpenApiDocument): string {
  const success = Object.entries(operation.responses ?? {}).find(([status]) => status.startsWith('2'))?.[1]
  const content = (success as { content?: Record<string, { schema?: Schema }> } | undefined)?.content
  const schema = content?.['application/json']?.schema
  if (schema === undefined || '$ref' in schema || document.components === undefined) return ''
  return fields(schema)
}

function fields(schema: Schema): string {
  if (typeof schema.$ref === 'string') return `<p>${typeOf(schema)}</p>`
  const properties = schema.properties as Readonly<Record<string, Schema>> | undefined
  if (properties === undefined) return `<p>${typeOf(schema)}</p>`
  const required = new Set((schema.required as readonly string[] | undefined) ?? [])
  const rows = Object.entries(properties).map(([name, property]) =>
    row(name, typeOf(property), required.has(name) ? 'required' : '', noteOf(property)),
  )
  return table(rows)
}

function noteOf(property: Schema): string {
  const parts = [
    property.description,
    property.default === undefined ? undefined : `Default ${JSON.stringify(property.default)}.`,
  ]
  return parts.filter((part) => part !== undefined).join(' ')
}

function row(name: string, type: string, flags: string, note: string): string {
  return `<tr><td><code>${escapeHtml(name)}</code></td><td>${type}</td><td>${escapeHtml(flags)}</td><td>${inline(note)}</td></tr>`
}

const table = (rows: readonly string[]): string => `<table>${rows.join('')}</table>`

/** A schema in a few words, as HTML. */
function typeOf(schema: Schema, depth = 0): string {
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.split('/').at(-1) ?? ''
    return `<a href="#schema-${escapeHtml(name)}">${escapeHtml(name)}</a>`
  }
  const alternatives = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined
  if (alternatives !== undefined) return alternatives.map((each) => typeOf(each, depth)).join(' or ')
  if (Array.isArray(schema.enum))
    return schema.enum.map((value) => `<code>${escapeHtml(JSON.stringify(value))}</code>`).join(' ')
  if (schema.const !== undefined) return `<code>${escapeHtml(JSON.stringify(schema.const))}</code>`
  const types = [schema.type].flat().filter((type) => typeof type === 'string') as string[]
  if (types.includes('array')) return `list of ${typeOf((schema.items ?? {}) as Schema, depth + 1)}${nullable(types)}`
  const properties = schema.properties as Readonly<Record<string, Schema>> | undefined
  if (properties !== undefined && depth < 3) {
    const inner = Object.entries(properties).map(([name, each]) => `${escapeHtml(name)}: ${typeOf(each, depth + 1)}`)
    return `{ ${inner.join(', ')} }${nullable(types)}`
  }
  return escapeHtml(types.length === 0 ? 'any' : types.join(' or '))
}

const nullable = (types: readonly string[]): string => (types.includes('null') ? ' or null' : '')

/** Paragraphs, lists of one level and code in backticks: as much as the descriptions use. */
function markdown(text: string): string {
  return text
    .split(/\n{2,}/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const lines = block.split('\n')
      if (!lines.every((line) => line.startsWith('- '))) return `<p>${inline(block)}</p>`
      return `<ul>${lines.map((line) => `<li>${inline(line.slice(2))}</li>`).join('')}</ul>`
    })
    .join('\n')
}

const inline = (text: string): string => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --quiet: #888; }
body { margin: 0; display: grid; grid-template-columns: 21rem minmax(0, 1fr); font: 16px/1.5 system-ui, sans-serif; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; box-sizing: border-box; border-right: 1px solid var(--line); font-size: 13px; }
nav ul { list-style: none; padding: 0; margin: 0; }
nav h1 { font-size: 20px; margin: 0; }
nav h2 { font-size: 14px; margin: 1rem 0 .25rem; }
nav a { display: block; padding: 1px 0; text-decoration: none; color: inherit; overflow-wrap: anywhere; }
nav a:hover, nav a:focus { text-decoration: underline; }
main { padding: 1rem 2rem; max-width: 64rem; min-width: 0; }
article { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h3 code { overflow-wrap: anywhere; }
h4 { margin: 1rem 0 .25rem; font-size: 14px; color: var(--quiet); }
pre { overflow-x: auto; font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; display: block; overflow-x: auto; }
td { border-top: 1px solid var(--line); padding: .25rem .75rem .25rem 0; vertical-align: top; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; border-right: 0; } main { padding: 1rem; } }
`
