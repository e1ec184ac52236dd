/** What answers the challenges of an authorization, by the account's key (RFC 8555 §8.1, draft-ietf-acme-dns-persist). */
import type { AcmeError } from '../acme/acme-error.ts'
import type { Authorization } from '../acme/authorization.ts'
import type { Challenge, PersistChallenge } from '../acme/challenge.ts'
import type { AcmeClient } from '../acme/client.ts'
import { buildPersistRecord } from '../acme/dns-persist.ts'
import { type Identifier, ipIdentifier } from '../acme/identifier.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, type Result } from '../core/result.ts'
import { formatIpAddress, parseIpAddress } from '../pki/ip-address.ts'

/** An authorization with what answers its challenges. An address is written as it was ordered, however the CA writes it. */
export interface OfferedAuthorization extends Omit<Authorization, 'challenges'> {
  readonly challenges: readonly OfferedChallenge[]
}

export type OfferedChallenge = Challenge & {
  /**
   * The key authorization (RFC 8555 §8.1); of dns-persist-01, which has none, the value of the TXT record. Null where the
   * CA says too little to build it.
   */
  readonly answer: string | null
}

/** The authorization as this account can answer it, with the key that it has now. */
export async function withAnswers(client: AcmeClient, authorization: Authorization): Promise<OfferedAuthorization> {
  const challenges = authorization.challenges.map(async (each) => ({
    ...each,
    answer: await answerOf(client, authorization, each),
  }))
  return {
    ...authorization,
    identifier: asOrdered(authorization.identifier),
    challenges: await Promise.all(challenges),
  }
}

/**
 * Tells the CA that the challenge can be validated. `keyAuthorization` is what was published for it, null where nothing was
 * that depends on the key. Where the account has another key by now, the CA is told nothing: it would not validate that answer.
 */
export async function tellReady(
  client: AcmeClient,
  challengeUrl: string,
  keyAuthorization: string | null,
): Promise<Result<unknown, AcmeError | PeerFailure>> {
  // RFC 8555 §8.1: a key authorization is the token, a full stop, and the thumbprint of the account's key.
  const isOfKey = keyAuthorization === null || keyAuthorization.endsWith(`.${client.thumbprint()}`)
  return isOfKey ? client.respond(challengeUrl) : err(KEY_CHANGED)
}

/** A key authorization is of a key that the account has no longer. */
const KEY_CHANGED: PeerFailure = {
  code: 'account_key_changed',
  message: "the account's key was replaced while the order was under way",
  transient: false,
  retryAtMs: null,
  problemType: null,
}

async function answerOf(
  client: AcmeClient,
  authorization: Authorization,
  challenge: Challenge,
): Promise<string | null> {
  return challenge.type === 'dns-persist-01'
    ? persistRecordValue(client, authorization, challenge)
    : client.keyAuthorization(challenge.token)
}

async function persistRecordValue(
  client: AcmeClient,
  { identifier, wildcard }: Authorization,
  challenge: PersistChallenge,
): Promise<string | null> {
  const directory = await client.directory()
  const accountUrl = client.accountUrl()
  if (!directory.ok || accountUrl === null) return null
  const record = await buildPersistRecord({
    domain: identifier.value,
    account: { accountUrl, thumbprint: client.thumbprint() },
    meta: directory.value.meta,
    challenge,
    wildcard,
  })
  return record.ok ? record.value.value : null
}

function asOrdered(identifier: Identifier): Identifier {
  const octets = identifier.type === 'ip' ? parseIpAddress(identifier.value) : null
  return octets === null ? identifier : ipIdentifier(formatIpAddress(octets))
}
