/** `/v1/subscriptions`: who is told of events, by webhook, and what became of each delivery. */
import { z } from '@hono/zod-openapi'
import { canCover, RESOURCE_FORMS } from '../../access/resource-forms.ts'
import { formatTime } from '../../core/clock.ts'
import { toListPage } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { globCovers, MAX_GLOB_CHARS } from '../../core/path-glob.ts'
import { everyResource, resourceName } from '../../core/resources.ts'
import { EVENT_CATALOGUE, EVENT_NAMES } from '../../events/catalogue.ts'
import { EVERY_EVENT } from '../../events/matching.ts'
import {
  changeSubscription,
  createSubscription,
  deliveriesOf,
  type MadeSubscription,
  redeliverDelivery,
  removeSubscription,
  requireSubscription,
  testSubscription,
} from '../../events/subscriptions.ts'
import type { DeliveryRow } from '../../store/deliveries.ts'
import type { DeliveryAttempt } from '../../store/delivery-attempts.ts'
import { listSubscriptions, type SubscriptionRow } from '../../store/subscriptions.ts'
import { empty, json } from '../answer.ts'
import { defineRoute, type Route, type RouteInput } from '../define-route.ts'
import { durationField, durationOf, nameField } from '../fields.ts'
import { listOf, listQuery, pageOf } from '../list.ts'

/** The forms of resources that events are about. */
const FORMS = RESOURCE_FORMS.filter(({ example }) => EVENT_CATALOGUE.some(({ path }) => globCovers(example, path)))

const pathsField = z
  .array(
    z
      .string()
      .max(MAX_GLOB_CHARS)
      .refine(
        (glob) => canCover(glob, FORMS),
        `matches nothing that events are about; the forms are ${FORMS.map(({ example }) => example).join(', ')}`,
      ),
  )
  .min(1)
  .max(50)
  .openapi({
    description:
      'What it is told about: globs within the paths of your token. A `*` stands for any characters within one segment. ' +
      `The forms: ${FORMS.map(({ example, meaning }) => `\`${example}\` (${meaning})`).join(', ')}.`,
    example: [everyResource.certificate],
  })

const eventsField = z
  .array(z.enum([EVERY_EVENT, ...EVENT_NAMES]))
  .min(1)
  .max(50)
  .openapi({
    description: 'Names of events; `*` is all of them, later ones too. The webhooks of this document show each.',
    example: ['certificate.renewed', 'certificate.renewal_failed'],
  })

const urlField = z.string().min(1).max(2_048).openapi({
  description: 'https, on a public host. Redirects are not followed.',
  example: 'https://ops.acme.example/events',
})

const secretField = z
  .string()
  .max(200)
  .openapi({ description: '`whsec_` and 24 to 64 bytes as base64, as in the Standard Webhooks specification' })

const view = {
  id: z.string(),
  name: z.string(),
  paths: z.array(z.string()),
  events: z.array(z.string()),
  enabled: z.boolean(),
  disabled_at: z.string().nullable(),
  disabled_reason: z
    .enum(['caller', 'gone', 'failing'])
    .nullable()
    .openapi({ description: '`gone`: the endpoint answered 410; `failing`: no attempt succeeded for five days' }),
  consecutive_failures: z.number().int().openapi({ description: 'Failed attempts since the last one that succeeded' }),
  failing_since: z.string().nullable(),
  created_by: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
}

const TYPE = z.literal('webhook')
const subscriptionView = z
  .strictObject({ ...view, delivery: z.strictObject({ type: TYPE, url: z.string() }) })
  .openapi('Subscription')
const newSubscriptionView = z
  .strictObject({
    ...view,
    delivery: z.strictObject({
      type: TYPE,
      url: z.string(),
      secret: z
        .string()
        .optional()
        .openapi({ description: 'Where none was given: the one that was made, shown this once' }),
    }),
  })
  .openapi('NewSubscription')

const subscriptionBody = z
  .strictObject({
    name: nameField,
    paths: pathsField,
    events: eventsField,
    delivery: z.strictObject({ type: TYPE, url: urlField, secret: secretField.optional() }),
  })
  .openapi('SubscriptionRequest')

const changeBody = z
  .strictObject({
    name: nameField.optional(),
    paths: pathsField.optional(),
    events: eventsField.optional(),
    delivery: z
      .strictObject({ type: TYPE.optional(), url: urlField.optional(), secret: secretField.optional() })
      .optional(),
    previous_secret_for: durationField.optional().openapi({
      description: 'How long every secret before signs too, at most 30d; with a new secret, 24h unless given',
    }),
    enabled: z.boolean().optional(),
  })
  .openapi('SubscriptionChange')

const attemptView = z.strictObject({
  at: z.string(),
  duration_ms: z.number().int(),
  status: z.number().int().nullable().openapi({ description: 'Null where no answer came' }),
  error: z.string().nullable(),
  response: z.string().nullable().openapi({
    description: 'The beginning of what came back, at most 4 KB of the last attempt; written by the receiver',
  }),
})

const deliveryView = z
  .strictObject({
    id: z.string(),
    subscription_id: z.string(),
    event_id: z.string(),
    event: z.string(),
    path: z.string(),
    status: z.enum(['pending', 'delivered', 'dead']),
    attempts: z.array(attemptView).openapi({ description: 'Oldest first; the last twenty' }),
    next_attempt_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Delivery')

const TAG = 'Subscriptions'
const params = z.object({ id: z.string() })
const ofItem = ({ id }: { readonly id: string }) => resourceName.subscription(id)
const DAY_SECONDS = 86_400
const MAX_PREVIOUS_SECONDS = 30 * DAY_SECONDS

const create = defineRoute({
  method: 'post',
  path: '/v1/subscriptions',
  tag: TAG,
  summary: 'Subscribe to events',
  description:
    'From now on, each event that matches is posted to the address, signed by the Standard Webhooks specification. Without a secret one is made, and shown this once.',
  access: { scope: 'pki:admin', resource: (_params, { body }) => [everyResource.subscription, ...body.paths] },
  idempotent: true,
  body: subscriptionBody,
  responses: { 201: { description: 'The subscription', schema: newSubscriptionView } },
  async handler({ body, actor, deps, once }) {
    const { url, secret = null } = body.delivery
    const request = { name: body.name, paths: body.paths, events: body.events, url, secret }
    const shown = ({ row, newSecret }: MadeSubscription) => {
      const { delivery, ...rest } = showSubscription(row)
      return json(201, { ...rest, delivery: newSecret === null ? delivery : { ...delivery, secret: newSecret } })
    }
    return shown(await createSubscription(deps, actor, request, once(shown)))
  },
})

const list = defineRoute({
  method: 'get',
  path: '/v1/subscriptions',
  tag: TAG,
  summary: 'List subscriptions',
  access: { scope: 'pki:admin', resource: everyResource.subscription },
  query: z.object(listQuery),
  responses: { 200: { description: 'Newest first', schema: listOf(subscriptionView) } },
  async handler({ query, principal, deps }) {
    const page = pageOf(query, (key) => isId('subscription', key))
    const rows = await listSubscriptions(deps.store, principal.tenantId, page)
    return json(
      200,
      toListPage(rows, query.limit, ({ id }) => id, showSubscription),
    )
  },
})

const read = defineRoute({
  method: 'get',
  path: '/v1/subscriptions/{id}',
  tag: TAG,
  summary: 'Read a subscription',
  access: { scope: 'pki:admin', resource: ofItem },
  params,
  responses: { 200: { description: 'The subscription, without its secret', schema: subscriptionView } },
  handler: async ({ params: { id }, principal, deps }) =>
    json(200, showSubscription(await requireSubscription(deps, principal.tenantId, id))),
})

const change = defineRoute({
  method: 'patch',
  path: '/v1/subscriptions/{id}',
  tag: TAG,
  summary: 'Change a subscription',
  description:
    'A new secret signs from now on, and the one before it signs too for a time, so that the receiver can change at its leisure. ' +
    'Switched off and on again within seven days, it gets what it has missed; later, it goes on with what happens from then on.',
  access: {
    scope: 'pki:admin',
    resource: ({ id }, { body }) => [resourceName.subscription(id), ...(body.paths ?? [])],
  },
  params,
  body: changeBody,
  responses: { 200: { description: 'The subscription', schema: subscriptionView } },
  async handler({ params: { id }, body, actor, deps, requireResource }) {
    const row = await requireSubscription(deps, actor.tenantId, id)
    // Who changes where it leads gets what it is about.
    await requireAll(requireResource, body.paths ?? row.paths)
    const { previous_secret_for: previousFor } = body
    const seconds = previousFor === undefined ? undefined : durationOf('previous_secret_for', previousFor, 0)
    if (seconds !== undefined && seconds > MAX_PREVIOUS_SECONDS)
      throw invalidField('previous_secret_for', 'must be 30 days at most')
    const changed = await changeSubscription(deps, actor, row, {
      name: body.name,
      paths: body.paths,
      events: body.events,
      url: body.delivery?.url,
      secret: body.delivery?.secret,
      previousSecretMs: seconds === undefined ? undefined : seconds * 1_000,
      enabled: body.enabled,
    })
    return json(200, showSubscription(changed))
  },
})

const remove = defineRoute({
  method: 'delete',
  path: '/v1/subscriptions/{id}',
  tag: TAG,
  summary: 'Delete a subscription',
  description: 'Nothing more is sent, and what waited is gone with its deliveries.',
  access: { scope: 'pki:admin', resource: ofItem },
  params,
  responses: { 204: { description: 'It is gone' } },
  async handler({ params: { id }, actor, deps }) {
    await removeSubscription(deps, actor, id)
    return empty(204)
  },
})

const test = defineRoute({
  method: 'post',
  path: '/v1/subscriptions/{id}/test',
  tag: TAG,
  summary: 'Send a test event',
  description: 'Signed as every other, of the type `test`, at once and once; whether the subscription is on or off.',
  access: { scope: 'pki:admin', resource: ofItem },
  params,
  responses: {
    200: {
      description: 'What came of it; a failure of the receiver is told here, and not by the status',
      schema: z
        .strictObject({
          delivered: z.boolean(),
          event_id: z.string(),
          status: attemptView.shape.status,
          duration_ms: attemptView.shape.duration_ms,
          error: attemptView.shape.error,
          response: attemptView.shape.response,
        })
        .openapi('SubscriptionTest'),
    },
  },
  async handler({ params: { id }, actor, deps, requireResource }) {
    const row = await requireSubscription(deps, actor.tenantId, id)
    await requireAll(requireResource, row.paths)
    const { kind, attempt, eventId } = await testSubscription(deps, actor, row)
    const { at: _at, ...shown } = showAttempt(attempt)
    return json(200, { delivered: kind === 'delivered', event_id: eventId, ...shown })
  },
})

const deliveries = defineRoute({
  method: 'get',
  path: '/v1/subscriptions/{id}/deliveries',
  tag: TAG,
  summary: 'List the deliveries of a subscription',
  description: 'Kept for 30 days. Responses are text that the receiver wrote: show them as text.',
  access: { scope: 'pki:admin', resource: ofItem },
  params,
  query: z.object(listQuery),
  responses: { 200: { description: 'The newest event first', schema: listOf(deliveryView) } },
  async handler({ params: { id }, query, actor, deps, requireResource }) {
    const page = pageOf(query, (key) => isId('delivery', key))
    const row = await requireSubscription(deps, actor.tenantId, id)
    await requireAll(requireResource, row.paths)
    const rows = await deliveriesOf(deps, row, page)
    return json(
      200,
      toListPage(rows, query.limit, (delivery) => delivery.id, showDelivery),
    )
  },
})

const redeliver = defineRoute({
  method: 'post',
  path: '/v1/subscriptions/{id}/deliveries/{delivery}/redeliver',
  tag: TAG,
  summary: 'Send a delivery again',
  description: 'Whatever became of it: it is due at once, and tried again for a day.',
  access: { scope: 'pki:admin', resource: ofItem },
  params: z.object({ id: z.string(), delivery: z.string() }),
  responses: { 202: { description: 'The delivery, which is due', schema: deliveryView } },
  async handler({ params: { id, delivery }, actor, deps, requireResource }) {
    const row = await requireSubscription(deps, actor.tenantId, id)
    await requireAll(requireResource, row.paths)
    return json(202, showDelivery(await redeliverDelivery(deps, actor, row, delivery)))
  },
})

export const subscriptionRoutes: readonly Route[] = [create, list, read, change, remove, test, deliveries, redeliver]

type RequireResource = RouteInput<unknown, unknown, unknown>['requireResource']

async function requireAll(requireResource: RequireResource, paths: readonly string[]): Promise<void> {
  for (const path of paths) await requireResource(path)
}

const timeOf = (ms: number | null): string | null => (ms === null ? null : formatTime(ms))

function showSubscription(row: Omit<SubscriptionRow, 'position'>): z.input<typeof subscriptionView> {
  return {
    id: row.id,
    name: row.name,
    paths: [...row.paths],
    events: [...row.events],
    delivery: { type: 'webhook', url: row.url },
    enabled: row.disabledAtMs === null,
    disabled_at: timeOf(row.disabledAtMs),
    disabled_reason: row.disabledReason as z.input<typeof subscriptionView>['disabled_reason'],
    consecutive_failures: row.failures,
    failing_since: timeOf(row.failingSinceMs),
    created_by: row.createdBy,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}

function showDelivery(row: DeliveryRow): z.input<typeof deliveryView> {
  return {
    id: row.id,
    subscription_id: row.subscriptionId,
    event_id: row.eventId,
    event: row.event,
    path: row.resource,
    status: row.status as z.input<typeof deliveryView>['status'],
    attempts: row.attempts.map(showAttempt),
    next_attempt_at: timeOf(row.nextAttemptAtMs),
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}

function showAttempt({ atMs, durationMs, status, error, response }: DeliveryAttempt): z.input<typeof attemptView> {
  return { at: formatTime(atMs), duration_ms: Math.round(durationMs), status, error, response }
}
