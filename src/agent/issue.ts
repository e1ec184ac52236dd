/** `issue`: orders a certificate, tells what the order does, and installs what came of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, ApiError } from './api.ts'
import type { IssueCommand } from './arguments.ts'
import { fetchOnce } from './fetch-certificate.ts'

interface Order {
  readonly order_id: string
  readonly status: string
  readonly certificate_id: string | null
  readonly log: readonly { readonly message: string }[]
  readonly error: { readonly message: string } | null
}

const POLL_MS = 1_000

/** Polls in a row that may fail before the order is left to the service, which goes on with it. */
const MAX_FAILED_POLLS = 60

/** Throws where the order fails. Stopped, it says so by throwing, and leaves the order to the service. */
export async function issue(command: IssueCommand, say: (line: string) => void, stop: AbortSignal): Promise<void> {
  const { api, accountId, domains, challengeType, installation } = command
  let order = await api.post<Order>('/v1/pki/acme/issue', {
    account_id: accountId,
    domains,
    challenge_type: challengeType,
  })
  say(`order ${order.order_id} for ${domains.join(', ')}`)
  for (let told = 0; ; ) {
    order = await poll(api, order.order_id, stop)
    for (const { message } of order.log.slice(told)) say(`  ${message}`)
    told = Math.max(told, order.log.length)
    if (order.status === 'valid' && order.certificate_id !== null) break
    if (order.status === 'invalid')
      throw new Error(`the order failed: ${order.error?.message ?? 'no reason was given'}`)
    await nap(order.order_id, stop)
  }
  say(`certificate ${order.certificate_id}`)
  if (installation !== null) await fetchOnce({ api, certificateId: order.certificate_id, ...installation }, say, stop)
}

async function poll(api: Api, orderId: string, stop: AbortSignal): Promise<Order> {
  for (let polls = 1; ; polls += 1) {
    try {
      return await api.get<Order>(`/v1/pki/acme/orders/${orderId}`)
    } catch (error) {
      const isPassing = error instanceof ApiError && error.isAway && polls < MAX_FAILED_POLLS
      if (!isPassing && !stop.aborted) throw error
      await nap(orderId, stop)
    }
  }
}

/** Throws when it is stopped. */
async function nap(orderId: string, stop: AbortSignal): Promise<void> {
  await sleep(POLL_MS, undefined, { signal: stop }).catch(() => {
    throw new Error(`stopped; the service goes on with ${orderId}`)
  })
}
