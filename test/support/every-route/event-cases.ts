/** Subscriptions and their deliveries. What stands here: route-case.ts. */
import { ADMIN, type Ask, at, type RouteCases } from './route-case.ts'

const ALL_SUBSCRIPTIONS = 'subscriptions/sub_*'
/** What the subscriptions of a filled tenant are about: who learns or sends it has to see it. */
const ABOUT = 'pki/certificates/cert_*'

const ofSubscription =
  (rest: string, within: readonly string[], body?: unknown): Ask =>
  ({ subscription }) =>
    at(`/v1/subscriptions/${subscription}${rest}`, [`subscriptions/${subscription}`, ...within], body)

export const EVENT_CASES: RouteCases = {
  'GET /v1/subscriptions': { may: ADMIN, asks: [() => at('/v1/subscriptions', [ALL_SUBSCRIPTIONS])] },
  'POST /v1/subscriptions': {
    may: ADMIN,
    asks: [
      ({ freshName, hookUrl }) => {
        const delivery = { type: 'webhook', url: `${hookUrl}/new` }
        const body = { name: freshName(), paths: [ABOUT], events: ['certificate.issued'], delivery }
        return at('/v1/subscriptions', [ALL_SUBSCRIPTIONS, ABOUT], body)
      },
    ],
  },
  'GET /v1/subscriptions/{id}': { may: ADMIN, asks: [ofSubscription('', [])] },
  'PATCH /v1/subscriptions/{id}': { may: ADMIN, asks: [ofSubscription('', [ABOUT], { events: ['*'] })] },
  'DELETE /v1/subscriptions/{id}': {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.newSubscription()
        return at(`/v1/subscriptions/${id}`, [`subscriptions/${id}`])
      },
    ],
  },
  'POST /v1/subscriptions/{id}/test': { may: ADMIN, asks: [ofSubscription('/test', [ABOUT], {})] },
  'GET /v1/subscriptions/{id}/deliveries': { may: ADMIN, asks: [ofSubscription('/deliveries', [ABOUT])] },
  'POST /v1/subscriptions/{id}/deliveries/{delivery}/redeliver': {
    may: ADMIN,
    asks: [
      ({ subscription, delivery }) => {
        const within = [`subscriptions/${subscription}`, ABOUT]
        return at(`/v1/subscriptions/${subscription}/deliveries/${delivery}/redeliver`, within, {})
      },
    ],
  },
}
