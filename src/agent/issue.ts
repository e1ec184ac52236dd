/** `issue`: orders a certificate, tells what the order does, and installs what came of it. */
import { setTimeout as sleep } from 'node:timers/promises'
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

/** Throws where the order fails. Stopped, it leaves the order to the service. */
export async function issue(command: IssueCommand, say: (line: string) => void, stop: AbortSignal): Promise<void> {
  const { api, accountId, domains, challengeType, installation } = command
  let order = await api.post<Order>('/v1/pki/acme/issue', {
    account_id: accountId,
    domains,
    challenge_type: challengeType,
  })
  say(`order ${order.order_id} for ${domains.join(', ')}`)
  for (let told = 0; ; ) {
    order = await api.get<Order>(`/v1/pki/acme/orders/${order.order_id}`)
    for (const { message } of order.log.slice(told)) say(`  ${message}`)
    told = Math.max(told, order.log.length)
    if (order.status === 'valid' && order.certificate_id !== null) break
    if (order.status === 'invalid')
      throw new Error(`the order failed: ${order.error?.message ?? 'no reason was given'}`)
    await sleep(POLL_MS, undefined, { signal: stop })
  }
  say(`certificate ${order.certificate_id}`)
  if (installation !== null) await fetchOnce({ api, certificateId: order.certificate_id, ...installation }, say)
}
