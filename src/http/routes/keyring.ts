/** `/v1/keyring`: which keys seal what is stored. Ids only, never keys. For operators. */

import { z } from '@hono/zod-openapi'
import { formatTime } from '../../core/clock.ts'
import { decodeCursor, encodeCursor } from '../../core/cursor.ts'
import { invalidField } from '../../core/errors.ts'
import { resealKeyRing } from '../../secrets/reseal-key-ring.ts'
import type { ResealPosition } from '../../store/reseal.ts'
import { json } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'

const readKeyring = defineRoute({
  method: 'get',
  path: '/v1/keyring',
  tag: 'Service',
  summary: 'The ids of the keys that seal what is stored',
  access: { scope: 'operator', resource: 'keyring' },
  responses: {
    200: {
      description: 'Ids, the current one first',
      schema: z.strictObject({ current_key_id: z.string(), key_ids: z.array(z.string()) }),
    },
  },
  handler: ({ deps }) => json(200, { current_key_id: deps.store.ring.currentKeyId, key_ids: deps.store.ring.keyIds }),
})

const resealKeyring = defineRoute({
  method: 'post',
  path: '/v1/keyring/reseal',
  tag: 'Service',
  summary: 'Seal anew what is not under the current key',
  description:
    'Works on a bounded stretch and says where to go on: call it with the `cursor` of the answer until `has_more` is ' +
    'false. A walk with nothing resealed and nothing remaining says that stored values need no other key; orders ' +
    'that are under way keep theirs until they end, see `oldest_open_order_at`.',
  access: { scope: 'operator', resource: 'keyring' },
  body: z.strictObject({ cursor: z.string().optional() }),
  responses: {
    200: {
      description: 'What was done',
      schema: z.strictObject({
        current_key_id: z.string(),
        resealed: z.number().int(),
        remaining: z.number().int(),
        by_key: z.record(z.string(), z.number().int()),
        oldest_open_order_at: z.string().nullable(),
        cursor: z.string().nullable(),
        has_more: z.boolean(),
      }),
    },
  },
  async handler({ body, actor, deps }) {
    const stretch = await resealKeyRing(deps.store, actor, positionOf(body.cursor))
    const { resealed, remaining, byKey, next, oldestOpenOrderMs } = stretch
    return json(200, {
      current_key_id: deps.store.ring.currentKeyId,
      resealed,
      remaining,
      by_key: byKey,
      oldest_open_order_at: oldestOpenOrderMs === null ? null : formatTime(oldestOpenOrderMs),
      cursor: next === null ? null : encodeCursor(JSON.stringify([next.column, ...next.after])),
      has_more: next !== null,
    })
  },
})

export const keyringRoutes: readonly Route[] = [readKeyring, resealKeyring]

const positionSchema = z.tuple([z.string()], z.union([z.string(), z.number()]))

function positionOf(cursor: string | undefined): ResealPosition | null {
  if (cursor === undefined) return null
  const position = positionSchema.safeParse(parse(decodeCursor(cursor) ?? ''))
  if (!position.success) throw invalidField('cursor', 'use the cursor of the answer before as it is')
  const [column, ...after] = position.data
  return { column, after }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
