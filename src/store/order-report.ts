/** What an order shows of itself. Its row keeps it: it is what is known of an order when its object has cleared itself. */
import { z } from 'zod'
import { parseTime } from '../core/clock.ts'

const failure = z.object({ code: z.string(), message: z.string() })

const challenge = z.object({
  id: z.string(),
  /** With `*.` for a wildcard. */
  domain: z.string(),
  type: z.string(),
  status: z.string(),
  /** Null for dns-persist-01, which has none. */
  token: z.string().nullable(),
  keyAuthorization: z.string().nullable(),
  /** Where the TXT value goes; null for challenges that are not answered in DNS. */
  recordName: z.string().nullable(),
  recordValue: z.string().nullable(),
  /** What the CA said was wrong. */
  error: z.string().nullable(),
})

/** Of the reports that are written. */
export const ORDER_REPORT_VERSION = 2

const version2 = z.object({
  version: z.literal(ORDER_REPORT_VERSION),
  challenges: z.array(challenge).readonly(),
  log: z.array(z.object({ atMs: z.number(), message: z.string() })).readonly(),
  /** The verdict of an order that failed. */
  error: failure.nullable(),
  warnings: z.array(z.string()).readonly(),
  /** What the order waits for, as one sentence. */
  waitingFor: z.string().nullable(),
  /** Why the last try failed, while it is tried again. */
  lastError: failure.nullable(),
  /** Which try of the whole order this is, from 1. */
  attempt: z.number(),
})

export type OrderReport = Readonly<z.output<typeof version2>>
export type ChallengeReport = Readonly<z.output<typeof challenge>>

/** Reports had no version, and the API's names, before version 2. Those of the first releases end with the warnings. */
const version1 = z
  .object({
    version: z.never().optional(),
    challenges: z.array(
      challenge.omit({ keyAuthorization: true, recordName: true, recordValue: true }).extend({
        key_authorization: z.string().nullable(),
        record_name: z.string().nullable(),
        record_value: z.string().nullable(),
      }),
    ),
    log: z.array(z.object({ at: z.string().transform(parseTime).pipe(z.number()), message: z.string() })),
    error: failure.nullable(),
    warnings: z.array(z.string()),
    waiting_for: z.string().nullable().default(null),
    last_error: failure.nullable().default(null),
    attempt: z.number().default(1),
  })
  .transform(({ challenges, log, waiting_for, last_error, ...same }): OrderReport => {
    return {
      ...same,
      version: ORDER_REPORT_VERSION,
      challenges: challenges.map(({ key_authorization, record_name, record_value, ...rest }) => {
        const names = { keyAuthorization: key_authorization, recordName: record_name, recordValue: record_value }
        return { ...rest, ...names }
      }),
      log: log.map(({ at, message }) => ({ atMs: at, message })),
      waitingFor: waiting_for,
      lastError: last_error,
    }
  })

/** Reads a report of version 2, or of before. */
export const orderReportSchema: z.ZodType<OrderReport> = z.union([version2, version1])

/** The report of an order that has not begun. */
export const EMPTY_REPORT: OrderReport = {
  version: ORDER_REPORT_VERSION,
  challenges: [],
  log: [],
  error: null,
  warnings: [],
  waitingFor: null,
  lastError: null,
  attempt: 1,
}
