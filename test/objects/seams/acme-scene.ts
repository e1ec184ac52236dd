/**
 * One managed certificate at a real Pebble, with an account, a provider and a secret of its own, and what can happen to them.
 * What is left is held against `acme-rules.ts`.
 */
import { abortAllDurableObjects, createScheduledController } from 'cloudflare:test'
import worker from '../../../src/index.ts'
import { bindings, untilFinished } from '../support/product.ts'

export interface AcmeScene {
  readonly domain: string
  readonly accountId: string
  readonly providerId: string
  /** Where the provider's credentials are read. */
  readonly secretPath: string
  readonly idempotencyKey: string
  readonly certificateId: string
  readonly firstOrderId: string
  /** Orders whose cancellation was answered with success. */
  readonly cancelled: Set<string>
  /** Was the CA told to revoke it, and did it answer that it has? */
  isRevokedAtCa: boolean
}

export interface AcmeOperation {
  readonly name: string
  /** True: what comes later meets something that it left. */
  readonly leavesState?: true
  run(scene: AcmeScene): Promise<Answer>
}

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly json: any
}

let scenes = 0

/** A name of its own with its certificate. */
export async function newScene(): Promise<AcmeScene> {
  scenes += 1
  const name = `seam-${scenes}`
  const domain = `${name}.acme.example`
  const secretPath = `seams/${name}`
  await requireDone(putSecret(secretPath))
  const provider = await requireDone(request('POST', '/v1/dns/providers', { body: providerOf(name, secretPath) }))
  const body = { name, provider: 'custom', directory_url: bindings.TEST_DIRECTORY_URL }
  const account = await requireDone(request('POST', '/v1/pki/acme/accounts', { body }))
  const ordered = await requireDone(order(account.id, domain, name))
  const finished = await untilFinished(ordered.order_id, () => scheduler.wait(50))
  if (finished.status !== 'valid') throw new Error(`no certificate: ${JSON.stringify(finished)}`)
  return {
    domain,
    accountId: account.id,
    providerId: provider.id,
    secretPath,
    idempotencyKey: name,
    certificateId: finished.certificate_id,
    firstOrderId: ordered.order_id,
    cancelled: new Set(),
    isRevokedAtCa: false,
  }
}

const putSecret = (path: string): Promise<Answer> =>
  request('PUT', `/v1/secrets/${path}`, {
    body: { data: { tsig_secret: bindings.TEST_TSIG_SECRET }, secret_type: 'json' },
  })

const providerOf = (name: string, secretPath: string) => ({
  name,
  type: 'rfc2136',
  config: {
    nameserver: bindings.TEST_NAMESERVER,
    nameservers: [bindings.TEST_NAMESERVER],
    tsig_key: bindings.TEST_TSIG_KEY,
    tsig_secret_path: secretPath,
  },
  managed_zones: [`${name}.acme.example`],
})

const order = (accountId: string, domain: string, idempotencyKey: string): Promise<Answer> =>
  request('POST', '/v1/pki/acme/issue', {
    body: { account_id: accountId, domains: [domain], challenge_type: 'dns-01' },
    headers: { 'idempotency-key': idempotencyKey },
  })

/** The body of an answer that has to be a success. */
async function requireDone(answer: Promise<Answer>): Promise<Answer['json']> {
  const { status, json } = await answer
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(json)}`)
  return json
}

async function request(
  method: string,
  path: string,
  { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const { default: service } = (await import('cloudflare:workers')).exports as unknown as { default: Fetcher }
  const response = await service.fetch(`http://certwright.example${path}`, {
    method,
    headers: { authorization: `Bearer ${bindings.ADMIN_TOKEN}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, json: text === '' ? null : JSON.parse(text) }
}

const revoke =
  (more: Readonly<Record<string, unknown>>): AcmeOperation['run'] =>
  ({ certificateId }) =>
    request('POST', '/v1/pki/revoke', { body: { certificate_id: certificateId, reason: 'superseded', ...more } })

const change =
  (body: Readonly<Record<string, unknown>>): AcmeOperation['run'] =>
  ({ certificateId }) =>
    request('PATCH', `/v1/pki/certificates/${certificateId}`, { body })

const NOTHING: Answer = { status: 200, json: null }

/** The order that makes the next version, where one is open. */
async function openOrderOf({ certificateId }: AcmeScene): Promise<string | null> {
  const row = await bindings.DB.prepare('SELECT open_order_id FROM certificates WHERE id = ?')
    .bind(certificateId)
    .first<{ open_order_id: string | null }>()
  return row?.open_order_id ?? null
}

export const RENEW: AcmeOperation = {
  name: 'renew',
  run: ({ certificateId }) => request('POST', `/v1/pki/certificates/${certificateId}/renew`, { body: {} }),
}

/** What can happen to a certificate that came by ACME, and to its orders. */
export const OPERATIONS: readonly AcmeOperation[] = [
  RENEW,
  {
    name: 'become due and be swept',
    async run({ certificateId }) {
      await bindings.DB.prepare(
        'UPDATE certificates SET next_renewal_at_ms = 1 WHERE id = ? AND next_renewal_at_ms IS NOT NULL',
      )
        .bind(certificateId)
        .run()
      await worker.scheduled(createScheduledController({ cron: '*/2 * * * *', scheduledTime: new Date() }), bindings)
      return NOTHING
    },
  },
  { name: 'revoke', leavesState: true, run: revoke({}) },
  {
    name: 'revoke at the CA',
    leavesState: true,
    async run(scene) {
      const answer = await revoke({ use_acme: true })(scene)
      scene.isRevokedAtCa ||= answer.status === 200
      return answer
    },
  },
  { name: 'hold', leavesState: true, run: revoke({ reason: 'certificate_hold' }) },
  {
    name: 'unhold',
    run: ({ certificateId }) => request('POST', `/v1/pki/certificates/${certificateId}/unhold`),
  },
  { name: 'stop renewing', leavesState: true, run: change({ auto_renew: false }) },
  { name: 'start renewing', run: change({ auto_renew: true }) },
  {
    name: 'cancel',
    async run(scene) {
      const orderId = await openOrderOf(scene)
      if (orderId === null) return NOTHING
      const answer = await request('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
      if (answer.status === 200) scene.cancelled.add(orderId)
      return answer
    },
  },
  {
    name: 'refresh',
    async run(scene) {
      const orderId = await openOrderOf(scene)
      return orderId === null ? NOTHING : request('POST', `/v1/pki/acme/orders/${orderId}/refresh`)
    },
  },
  {
    name: 'ask for it again with the same key',
    async run({ accountId, domain, idempotencyKey, firstOrderId }) {
      const answer = await order(accountId, domain, idempotencyKey)
      if (answer.json.order_id !== firstOrderId) throw new Error(`a second order: ${JSON.stringify(answer.json)}`)
      return answer
    },
  },
  {
    name: 'roll the account over',
    leavesState: true,
    run: ({ accountId }) => request('POST', `/v1/pki/acme/accounts/${accountId}/rollover`),
  },
  {
    name: 'delete the account',
    leavesState: true,
    run: ({ accountId }) => request('DELETE', `/v1/pki/acme/accounts/${accountId}`),
  },
  {
    name: 'lose the account at the CA',
    leavesState: true,
    async run({ accountId }) {
      await bindings.DB.prepare("UPDATE acme_accounts SET account_url = account_url || '0' WHERE id = ?")
        .bind(accountId)
        .run()
      return NOTHING
    },
  },
  {
    name: 'change the provider',
    run: ({ providerId }) => request('PATCH', `/v1/dns/providers/${providerId}`, { body: { config: { ttl: 61 } } }),
  },
  {
    // Another provider has the zone above, and takes over.
    name: 'delete the provider by force',
    leavesState: true,
    run: ({ providerId }) => request('DELETE', `/v1/dns/providers/${providerId}?force=true`),
  },
  {
    name: 'delete the provider',
    leavesState: true,
    run: ({ providerId }) => request('DELETE', `/v1/dns/providers/${providerId}`),
  },
  { name: 'rotate the secret', run: ({ secretPath }) => putSecret(secretPath) },
  {
    // The API refuses that while a provider refers to it: as a database that lost it would have it.
    name: 'lose the secret',
    leavesState: true,
    async run({ secretPath }) {
      const tables = ['secret_versions', 'secrets']
      await bindings.DB.batch(
        tables.map((table) => bindings.DB.prepare(`DELETE FROM ${table} WHERE path = ?`).bind(secretPath)),
      )
      return { status: 204, json: null }
    },
  },
]

/** Every object of the deployment ends at once, so that nothing else may run beside it. */
export const CRASH: AcmeOperation = {
  name: 'crash',
  async run() {
    await abortAllDurableObjects()
    return NOTHING
  },
}

/** How long an order may go on by itself before its owner looks after it. */
const PATIENCE_MS = 3_000

/** Until every order of the certificate has come to its end, its records included. Where one waits, its owner gives back what was taken. */
export async function settle(scene: AcmeScene): Promise<void> {
  const patientUntilMs = Date.now() + PATIENCE_MS
  for (let left = MAX_LOOKS; left > 0; left -= 1) {
    const { results } = await bindings.DB.prepare(
      "SELECT id FROM acme_orders WHERE certificate_id = ? AND step NOT IN ('issued', 'failed')",
    )
      .bind(scene.certificateId)
      .all<{ id: string }>()
    if (results.length === 0) return
    for (const { id } of results) await lookAfter(scene, id, patientUntilMs)
  }
  throw new Error(`an order of ${scene.domain} did not come to its end`)
}

const MAX_LOOKS = 1_000

async function lookAfter({ secretPath }: AcmeScene, orderId: string, patientUntilMs: number): Promise<void> {
  await scheduler.wait(50)
  if (Date.now() < patientUntilMs) return
  await requireDone(putSecret(secretPath))
  await request('POST', `/v1/pki/acme/orders/${orderId}/refresh`)
  await scheduler.wait(500)
}
