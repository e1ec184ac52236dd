/** docs/event-catalogue.md, made from the catalogue: every event with its fields and an example. */
import { z } from 'zod'
import { EVENT_CATALOGUE, EVENT_NAMES, type EventKind, exampleBody } from './catalogue.ts'

interface FieldSchema {
  readonly type?: string
  readonly format?: string
  readonly description?: string
  readonly enum?: readonly string[]
  readonly items?: FieldSchema
  readonly anyOf?: readonly FieldSchema[]
}

/** The schema of what a receiver gets, as JSON Schema 2020-12. Fields that it does not name may come. */
export function bodySchema({ name, data }: EventKind): Readonly<Record<string, unknown>> {
  const { $schema: _dialect, ...dataSchema } = z.toJSONSchema(data, { io: 'input' })
  return {
    type: 'object',
    required: ['id', 'type', 'timestamp', 'path', 'data'],
    properties: {
      id: {
        type: 'string',
        description: '`evt_…`; the same in every delivery of the event, as the header `webhook-id`',
      },
      type: { type: 'string', const: name },
      timestamp: { type: 'string', format: 'date-time', description: 'When it happened' },
      path: { type: 'string', description: 'What it is about, as in `paths` of subscriptions and tokens' },
      data: dataSchema,
    },
  }
}

/** The page, whole. */
export function eventCatalogueDocument(): string {
  return `${[INTRODUCTION, CONTENTS, ...EVENT_CATALOGUE.map(sectionOf)].join('\n\n')}\n`
}

const INTRODUCTION = `# Events

Made from \`src/events/catalogue.ts\` by \`npm run docs:events\`; a test compares both.

Every event that a subscription may name; \`*\` stands for all of them. A receiver gets \`id\`, \`type\`, \`timestamp\`, \`path\` and \`data\`, as the examples show; \`data\` is what the entry of the journal
has as \`detail\`. Fields may be added in later versions; none is taken away. Entries that were written by an older version have the fields of that version.`

const CONTENTS = EVENT_NAMES.map((name) => `- [\`${name}\`](#${name.replaceAll(/[^a-z_]/g, '')})`).join('\n')

function sectionOf(kind: EventKind): string {
  const { properties = {}, required = [] } = z.toJSONSchema(kind.data, { io: 'input' })
  const rows = Object.entries(properties).map(([name, schema]) => {
    const field = schema as FieldSchema
    const note = [required.includes(name) ? null : 'May be absent.', field.description ?? null]
    return `| \`${name}\` | ${typeOf(field)} | ${note.filter((each) => each !== null).join(' ')} |`
  })
  return [
    `## ${kind.name}\n\n${kind.meaning}`,
    ['| field | | meaning |', '| --- | --- | --- |', ...rows].join('\n'),
    `\`\`\`json\n${JSON.stringify(exampleBody(kind), null, 2)}\n\`\`\``,
  ].join('\n\n')
}

function typeOf({ type, format, enum: values, items, anyOf }: FieldSchema): string {
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ')
  if (items !== undefined) return `list of ${typeOf(items)}`
  return format === 'date-time' ? 'time' : (type ?? 'any')
}
