/** A version of a Worker as it is uploaded to Cloudflare: multipart, with its metadata checked by the published description. */
import { createHash, randomUUID } from 'node:crypto'

export interface Upload {
  readonly id: string
  readonly etag: string
  readonly bindings: readonly Binding[]
  readonly secrets: Map<string, string>
  readonly annotations: Readonly<Record<string, string>>
  readonly migrationTag: string | null
  /** Classes of objects that there are from this version on. */
  readonly classes: ReadonlySet<string>
}

export type Binding = Readonly<Record<string, unknown>> & { readonly type: string; readonly name: string }

export class UploadRefused extends Error {}

export interface Resources {
  hasDatabase(id: string): boolean
  hasBucket(name: string): boolean
  hasQueue(name: string): boolean
}

/** https://developers.cloudflare.com/workers/configuration/multipart-upload-metadata/ */
const METADATA = new Set([
  'main_module',
  'bindings',
  'compatibility_date',
  'compatibility_flags',
  'migrations',
  'keep_bindings',
  'annotations',
  'observability',
  'placement',
  'tags',
  'tail_consumers',
  'logpush',
  'limits',
  'package_dependencies',
  'code_update_strategy',
])

/** By type: the fields beside `type` and `name`. */
const BINDING_FIELDS: Readonly<Record<string, readonly string[]>> = {
  plain_text: ['text'],
  secret_text: ['text'],
  d1: ['id', 'database_id', 'internalEnv'],
  r2_bucket: ['bucket_name', 'jurisdiction'],
  queue: ['queue_name', 'delivery_delay'],
  durable_object_namespace: ['class_name', 'script_name', 'environment'],
  inherit: [],
}

interface Migrations {
  readonly old_tag?: string
  readonly new_tag: string
  readonly steps: readonly { readonly new_sqlite_classes?: readonly string[] }[]
}

/** Throws UploadRefused with what is wrong with it. */
export async function checkUpload(
  request: { readonly body: Buffer; readonly contentType: string },
  before: Upload | null,
  migrationTag: string | null,
  resources: Resources,
): Promise<Upload> {
  const form = await new Response(new Uint8Array(request.body), {
    headers: { 'content-type': request.contentType },
  }).formData()
  const metadata = JSON.parse(String(form.get('metadata'))) as Readonly<Record<string, unknown>>
  const unknown = Object.keys(metadata).filter((name) => !METADATA.has(name))
  refuseIf(unknown.length > 0, `metadata: unknown ${unknown.join()}`)
  const main = form.get(String(metadata.main_module))
  refuseIf(!(main instanceof File) || main.type !== 'application/javascript+module', 'no main module')
  refuseIf(!/^\d{4}-\d\d-\d\d$/.test(String(metadata.compatibility_date)), 'no compatibility date')

  const migrations = metadata.migrations as Migrations | undefined
  refuseIf(migrations !== undefined && (migrations.old_tag ?? null) !== migrationTag, 'migrations from another tag')
  const added = migrations?.steps.flatMap((step) => step.new_sqlite_classes ?? []) ?? []
  const classes = new Set([...(before?.classes ?? []), ...added])

  const bindings = (metadata.bindings as readonly Binding[]).map((binding) => {
    const fields = BINDING_FIELDS[binding.type]
    refuseIf(fields === undefined, `a binding of type ${binding.type}`)
    const wrong = Object.keys(binding).filter((name) => !['type', 'name', ...(fields ?? [])].includes(name))
    refuseIf(wrong.length > 0, `binding ${binding.name}: unknown ${wrong.join()}`)
    if (binding.type !== 'inherit') return binding
    const inherited = before?.bindings.find(({ name }) => name === binding.name)
    refuseIf(inherited === undefined, `${binding.name} inherits from nothing`)
    return inherited as Binding
  })
  for (const binding of bindings) {
    const isThere =
      binding.type === 'd1'
        ? resources.hasDatabase(String(binding.id))
        : binding.type === 'r2_bucket'
          ? resources.hasBucket(String(binding.bucket_name))
          : binding.type === 'queue'
            ? resources.hasQueue(String(binding.queue_name))
            : binding.type !== 'durable_object_namespace' || classes.has(String(binding.class_name))
    refuseIf(!isThere, `binding ${binding.name}: what it is bound to is not there`)
  }

  const keeps = new Set(metadata.keep_bindings as readonly string[] | undefined)
  const names = new Set(bindings.map(({ name }) => name))
  const kept = (before?.bindings ?? []).filter(({ type, name }) => keeps.has(type) && !names.has(name))
  const secrets = new Map(keeps.has('secret_text') ? before?.secrets : [])
  for (const { type, name, text } of bindings) if (type === 'secret_text') secrets.set(name, String(text))
  return {
    id: randomUUID(),
    etag: createHash('sha256').update(request.body).digest('hex'),
    bindings: [...bindings.filter(({ type }) => type !== 'secret_text'), ...kept],
    secrets,
    annotations: (metadata.annotations ?? {}) as Record<string, string>,
    migrationTag: migrations?.new_tag ?? migrationTag,
    classes,
  }
}

function refuseIf(isWrong: boolean, message: string): void {
  if (isWrong) throw new UploadRefused(message)
}
