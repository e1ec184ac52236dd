/**
 * What an order knows of itself: the truth while it runs, of which D1 has a copy. Its object stores it; `stored-order.ts`
 * reads it, also as earlier releases stored it.
 */
import type { AuthorizationStatus } from '../acme/authorization.ts'
import type { ChallengeStatus } from '../acme/challenge.ts'
import type { RecordState } from '../challenges/challenge-record.ts'
import { type OrderPurpose, type OrderRequest, orderPurposeSchema } from '../store/order-request.ts'
import { type Job, newJob } from './order-machine.ts'

export interface OrderState {
  readonly version: 2
  readonly tenantId: string
  readonly orderId: string
  readonly certificateId: string
  readonly purpose: OrderPurpose
  /** The token that asked for it; `system` for renewals. */
  readonly requestedBy: string
  readonly request: OrderRequest
  readonly createdAtMs: number
  readonly job: Job
  /** The CA's addresses, verbatim; saved before anything is done for the order (RFC 8555 §7.4). */
  readonly ca: {
    readonly orderUrl: string
    readonly finalizeUrl: string
    readonly certificateUrl: string | null
  } | null
  readonly authorizations: readonly AuthorizationState[]
  /** Records of an order at the CA that was given up for another: still to be removed. */
  readonly staleRecords: readonly RecordState[]
  /** The private key, PKCS#8, sealed for the certificate's row; null before finalize and with a CSR of the caller's. */
  readonly sealedKey: string | null
  /** What finalize sends, DER as base64; saved with its key before it is sent. */
  readonly csrBase64: string | null
  /** True from the moment at which finalize may have reached the CA, until the CA shows that it has not taken it. */
  readonly finalizeSent: boolean
  /** Does the journal have the entry of that sending? */
  readonly finalizeJournaled: boolean
  /** What the CA answered to finalize with a server error while the order stayed ready, and how often in a row. */
  readonly finalizeRefusal: { readonly message: string; readonly count: number } | null
  readonly notAfterMs: number | null
  /** How often the present phase was polled in vain, for the growing interval. */
  readonly polls: number
  readonly log: readonly LogLine[]
  /** What the name servers said at the last poll, so that the log has only what changes. */
  readonly lastPoll: readonly string[]
  /** What D1 was last told that the order does and waits for; see `shownOf`. */
  readonly reported: string | null
  /** How many of those who have cancelled the order (`Cancellation.by`) the journal has an entry of. */
  readonly cancelsJournaled: number
  /** True once D1 has the verdict while the order still cleans up: the certificate is freed, the journal has its end. */
  readonly verdictReported: boolean
}

/** What the row of an order says of it. */
interface OrderedRow
  extends Pick<OrderState, 'tenantId' | 'certificateId' | 'requestedBy' | 'request' | 'createdAtMs'> {
  readonly id: string
  readonly purpose: string
}

/** An order at its beginning, from its row. `nowMs` is when its first phase may run. */
export function newOrderState(row: OrderedRow, nowMs: number): OrderState {
  const { tenantId, id, certificateId, requestedBy, request, createdAtMs } = row
  const purpose = orderPurposeSchema.parse(row.purpose)
  return {
    version: 2,
    tenantId,
    orderId: id,
    certificateId,
    purpose,
    requestedBy,
    request,
    createdAtMs,
    // A renewal that fails is ordered again by the cron.
    job: newJob(nowMs, purpose === 'issue' && request.retry),
    ca: null,
    authorizations: [],
    staleRecords: [],
    sealedKey: null,
    csrBase64: null,
    finalizeSent: false,
    finalizeJournaled: false,
    finalizeRefusal: null,
    notAfterMs: null,
    polls: 0,
    log: [],
    lastPoll: [],
    reported: null,
    cancelsJournaled: 0,
    verdictReported: false,
  }
}

export interface LogLine {
  readonly atMs: number
  readonly message: string
}

/** One authorization of the order (RFC 8555 §7.1.4). */
export interface AuthorizationState {
  readonly url: string
  /** The identifier, without `*.`. */
  readonly domain: string
  readonly wildcard: boolean
  readonly status: AuthorizationStatus
  /** The one challenge that is answered; null where the authorization was valid from the start. */
  readonly challenge: ChallengeState | null
  /** Where the TXT value goes; saved before it is written. */
  readonly record: RecordState | null
}

export interface ChallengeState {
  readonly id: string
  readonly type: string
  readonly url: string
  /** Null for dns-persist-01, which has none. */
  readonly token: string | null
  readonly keyAuthorization: string | null
  /** The TXT value of dns-01 and dns-persist-01. */
  readonly recordValue: string
  readonly status: ChallengeStatus
  /** What the CA said was wrong. */
  readonly error: string | null
  /** RFC 8555 §7.5.1: saved before the answer is sent, so that it is sent once. */
  readonly answered: boolean
}

/** Lines kept of an order's log: the first ones and the last ones tell most. */
const MAX_LOG_LINES = 200

/** Characters of a line. A CA's answer may be long, and an order may have hundreds of names. */
const MAX_LINE_CHARS = 1_000

/** Adds a line, cut where it is too long; a repeated last line is not written again. */
export function logged(state: OrderState, atMs: number, line: string): OrderState {
  const message = cut(line)
  if (state.log.at(-1)?.message === message) return state
  const log = [...state.log, { atMs, message }]
  return {
    ...state,
    log: log.length > MAX_LOG_LINES ? [...log.slice(0, 50), ...log.slice(-(MAX_LOG_LINES - 50))] : log,
  }
}

function cut(line: string): string {
  if (line.length <= MAX_LINE_CHARS) return line
  // Not through a character of two code units.
  return `${line.slice(0, MAX_LINE_CHARS).replace(/[\ud800-\udbff]$/, '')}…`
}

/** The name as the order has it: with `*.` for a wildcard. */
export function orderedName(authorization: Pick<AuthorizationState, 'domain' | 'wildcard'>): string {
  return authorization.wildcard ? `*.${authorization.domain}` : authorization.domain
}

/** Without the authorizations, so that they are read again; what may still be in DNS for them stays known. */
export function forgetAuthorizations(state: OrderState): OrderState {
  const written = state.authorizations.flatMap(({ record }) => (record?.written ? [record] : []))
  return {
    ...state,
    authorizations: [],
    staleRecords: [...state.staleRecords, ...written],
    finalizeSent: false,
    finalizeRefusal: null,
    polls: 0,
  }
}

/** Without the order at the CA, so that another one is opened. */
export function forgetCaOrder(state: OrderState): OrderState {
  return { ...forgetAuthorizations(state), ca: null }
}

/** Without the order at the CA and without its key: the next one gets a key of its own. */
export function forgetCaOrderAndKey(state: OrderState): OrderState {
  return { ...forgetCaOrder(state), sealedKey: null, csrBase64: null }
}

/** Where an order's private key is sealed for, until the certificate has it. */
export function orderKeyPlace(state: Pick<OrderState, 'tenantId' | 'orderId'>) {
  return { tenantId: state.tenantId, column: 'acme-order.sealedKey', row: state.orderId }
}
