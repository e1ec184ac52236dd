/** The Worker that the tests run beside: the objects that the store needs, and no routes of its own. */
export { TenantLedger } from '../../../durable-objects/tenant-ledger.ts'

export default {
  fetch: (): Response => new Response('ask the app that the test has built', { status: 421 }),
}
