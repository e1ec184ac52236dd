/**
 * Reads what an order's object stores: the state under `order`, what its owner has asked for under `commands`. Orders in
 * flight survive a deployment: a change of a shape gets a new version, and the old one is read here.
 */
import { z } from 'zod'
import { AUTHORIZATION_STATUSES } from '../acme/authorization.ts'
import { CHALLENGE_STATUSES } from '../acme/challenge.ts'
import { orderPurposeSchema, orderRequestSchema } from '../store/order-request.ts'
import { CANCELLED_BY_OWNER, type Commands, NO_COMMANDS } from './commands.ts'
import { type ActivePhase, ORDER_MACHINE, type Phase } from './order-machine.ts'
import type { OrderState } from './order-state.ts'

const PHASES = [...(Object.keys(ORDER_MACHINE) as ActivePhase[]), 'issued', 'failed'] as const satisfies Phase[]

const failure = z.object({ code: z.string(), message: z.string() })

const job = z.object({
  phase: z.enum(PHASES),
  enteredAtMs: z.number(),
  errors: z.number(),
  restarts: z.number(),
  wakeAtMs: z.number().nullable(),
  notBeforeMs: z.number().nullable().default(null),
  waitingFor: z.string().nullable().default(null),
  lastError: failure.nullable().default(null),
  attempt: z.number().nullable().default(null),
  beginsAnew: z.boolean().default(false),
  failure: failure.nullable(),
  warnings: z.array(z.string()),
})

const record = z.object({
  providerId: z.string(),
  zone: z.string(),
  name: z.string(),
  challengeName: z.string().exactOptional(),
  value: z.string(),
  ttlSeconds: z.number(),
  written: z.boolean(),
})

const challenge = z.object({
  id: z.string(),
  type: z.string(),
  url: z.string(),
  token: z.string().nullable(),
  keyAuthorization: z.string().nullable(),
  recordValue: z.string(),
  status: z.enum(CHALLENGE_STATUSES),
  error: z.string().nullable(),
  answered: z.boolean(),
})

const authorization = z.object({
  url: z.string(),
  domain: z.string(),
  wildcard: z.boolean(),
  status: z.enum(AUTHORIZATION_STATUSES),
  challenge: challenge.nullable(),
  record: record.nullable(),
})

/** Version 2. The defaults stand for what version 1 came to have only in the course of time. */
const state: z.ZodType<OrderState> = z.object({
  version: z.literal(2),
  tenantId: z.string(),
  orderId: z.string(),
  certificateId: z.string(),
  purpose: orderPurposeSchema,
  requestedBy: z.string(),
  request: orderRequestSchema,
  createdAtMs: z.number(),
  job,
  ca: z.object({ orderUrl: z.string(), finalizeUrl: z.string(), certificateUrl: z.string().nullable() }).nullable(),
  authorizations: z.array(authorization),
  staleRecords: z.array(record),
  sealedKey: z.string().nullable(),
  csrBase64: z.string().nullable(),
  finalizeSent: z.boolean(),
  finalizeJournaled: z.boolean().default(false),
  finalizeRefusal: z.object({ message: z.string(), count: z.number() }).nullable().default(null),
  notAfterMs: z.number().nullable(),
  polls: z.number(),
  log: z.array(z.object({ atMs: z.number(), message: z.string() })),
  lastPoll: z.array(z.string()).default([]),
  reported: z.string().nullable().default(null),
  cancelsJournaled: z.number().default(0),
  verdictReported: z.boolean().default(false),
})

const version1 = z.looseObject({ version: z.literal(1) })

/**
 * The state of an order, of version 1 or 2. Throws where it is neither, as after a return to an earlier release: what is
 * stored stays as it is, for a release that knows it.
 */
export function decodeOrderState(stored: unknown): OrderState {
  const former = version1.safeParse(stored)
  return decode(state, former.success ? fromVersion1(former.data) : stored, 'state')
}

/** Version 1 has other names for three fields. */
function fromVersion1({ leftovers, lastLook, finalizeTold, ...rest }: Readonly<Record<string, unknown>>): unknown {
  return { ...rest, version: 2, staleRecords: leftovers, lastPoll: lastLook, finalizeJournaled: finalizeTold }
}

const commands: z.ZodType<Commands> = z.object({
  cancelled: z
    .object({
      reason: z.string(),
      by: z.array(z.object({ tokenId: z.string(), requestId: z.string().nullable() })).default([]),
    })
    .nullable(),
  released: z.array(z.string()),
  wake: z.boolean(),
})

/** Under `wishes`, beside version 1 of the state. */
const wishes = z.object({
  cancelled: z.boolean(),
  reason: z.string().default(CANCELLED_BY_OWNER),
  released: z.array(z.string()),
  wanted: z.boolean().optional(),
})

/** What is stored under `commands`, or else under `wishes`; undefined where nothing is. */
export function decodeCommands(stored: unknown, storedWishes: unknown): Commands {
  if (stored !== undefined) return decode(commands, stored, 'commands')
  if (storedWishes === undefined) return NO_COMMANDS
  const { cancelled, reason, released, wanted } = decode(wishes, storedWishes, 'commands')
  // Who cancelled is in the journal: the release that wrote this wrote the entry before the object ran.
  return { cancelled: cancelled ? { reason, by: [] } : null, released, wake: wanted ?? released.length > 0 }
}

/** Names the places that are wrong, and shows no value: a state holds key authorizations. */
function decode<T>(schema: z.ZodType<T>, stored: unknown, what: string): T {
  const decoded = schema.safeParse(stored)
  if (decoded.success) return decoded.data
  const places = decoded.error.issues.map(({ path, code }) => `${path.join('.')} (${code})`).join(', ')
  throw new Error(`the stored ${what} of an order cannot be read: ${places}`)
}
