/** Authorizations (RFC 8555 §7.1.4, §7.5): what the account may be issued for, or how to prove it. */
import { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import { type Identifier, identifierShape } from './identifier.ts'
import { MAX_CHALLENGES } from './limits.ts'
import { checkShape, optionalTime, type TargetPolicy } from './shape.ts'

/** RFC 8555 §7.1.6. */
export const AUTHORIZATION_STATUSES = ['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked'] as const
export type AuthorizationStatus = (typeof AUTHORIZATION_STATUSES)[number]

export interface Authorization {
  /** RFC 8555 §7.1.4: without `*.`, also for a wildcard. */
  readonly identifier: Identifier
  readonly wildcard: boolean
  readonly status: AuthorizationStatus
  readonly expiresAtMs: number | null
  /** Those of types that this client knows, in the server's order. */
  readonly challenges: readonly Challenge[]
  /** The names of the other types offered. */
  readonly unknownChallengeTypes: readonly string[]
  /** Epoch milliseconds: when the server wants to be asked again; capped. */
  readonly retryAfterMs: number | null
}

export function parseAuthorization(
  value: unknown,
  retryAfterMs: number | null,
  policy: TargetPolicy,
): Result<Authorization, string> {
  const shaped = checkShape(authorizationShape, value, 'authorization')
  if (!shaped.ok) return shaped
  const { identifier, status, expires, wildcard } = shaped.value
  if (identifier.value.startsWith('*.')) return err('is no ACME authorization: its identifier is a wildcard')
  const challenges: Challenge[] = []
  const unknownChallengeTypes: string[] = []
  for (const each of shaped.value.challenges) {
    const challenge = parseChallenge(each, policy)
    if (!challenge.ok) return challenge
    if ('known' in challenge.value) challenges.push(challenge.value.known)
    else unknownChallengeTypes.push(challenge.value.unknownType)
  }
  return ok({
    identifier,
    wildcard: wildcard ?? false,
    status,
    expiresAtMs: expires,
    challenges,
    unknownChallengeTypes,
    retryAfterMs,
  })
}

const authorizationShape = z.object({
  identifier: identifierShape,
  status: z.enum(AUTHORIZATION_STATUSES),
  expires: optionalTime,
  challenges: z.array(z.unknown()).max(MAX_CHALLENGES),
  wildcard: z.boolean().nullish(),
})
