/** One managed certificate at a real Pebble, and what can happen to it. What is left is held against `acme-rules.ts`. */
import { createScheduledController } from 'cloudflare:test'
import worker from '../../../src/index.ts'
import { accountOf, api, bindings, untilFinished } from '../support/product.ts'

export interface AcmeScene {
  readonly domain: string
  readonly idempotencyKey: string
  readonly certificateId: string
  readonly firstOrderId: string
  /** Orders whose cancellation was answered with success. */
  readonly cancelled: Set<string>
}

export interface AcmeOperation {
  readonly name: string
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
  const domain = `seam-${scenes}.acme.example`
  const idempotencyKey = `seam-${scenes}`
  const { json } = await order(domain, idempotencyKey)
  const finished = await untilFinished(json.order_id, () => scheduler.wait(50))
  if (finished.status !== 'valid') throw new Error(`no certificate: ${JSON.stringify(finished)}`)
  return {
    domain,
    idempotencyKey,
    certificateId: finished.certificate_id,
    firstOrderId: json.order_id,
    cancelled: new Set(),
  }
}

const order = (domain: string, idempotencyKey: string): Promise<Answer> =>
  request('POST', '/v1/pki/acme/issue', {
    body: { account_id: accountOf(), domains: [domain], challenge_type: 'dns-01' },
    headers: { 'idempotency-key': idempotencyKey },
  })

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
  { name: 'revoke', run: revoke({}) },
  { name: 'revoke at the CA', run: revoke({ use_acme: true }) },
  { name: 'hold', run: revoke({ reason: 'certificate_hold' }) },
  {
    name: 'unhold',
    run: ({ certificateId }) => request('POST', `/v1/pki/certificates/${certificateId}/unhold`),
  },
  { name: 'stop renewing', run: change({ auto_renew: false }) },
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
    async run({ domain, idempotencyKey, firstOrderId }) {
      const answer = await order(domain, idempotencyKey)
      if (answer.json.order_id !== firstOrderId) throw new Error(`a second order: ${JSON.stringify(answer.json)}`)
      return answer
    },
  },
  {
    name: 'roll the account over',
    run: () => request('POST', `/v1/pki/acme/accounts/${accountOf()}/rollover`),
  },
]

/** Until no order of the certificate is open any more. */
export async function settle(scene: AcmeScene): Promise<void> {
  for (;;) {
    const orders = await bindings.DB.prepare(
      "SELECT id FROM acme_orders WHERE certificate_id = ? AND status IN ('pending', 'processing')",
    )
      .bind(scene.certificateId)
      .all<{ id: string }>()
    if (orders.results.length === 0) return
    for (const { id } of orders.results) await untilFinished(id, () => scheduler.wait(50))
    await api('GET', `/v1/pki/certificates/${scene.certificateId}`)
  }
}
