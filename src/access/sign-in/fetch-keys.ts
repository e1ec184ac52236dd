/** An issuer's keys: from its discovery document, from an address, or as they were given. Does not remember them: see key-sets.ts. */
import { type HttpClient, parseJson } from '../../core/http-client.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { type PublicJwk, publicJwkSchema, type SignInSettings } from '../../store/sign-in-settings.ts'
import { FETCH_TIMEOUT_MS, MAX_KEYS, MAX_KEYS_BYTES } from './limits.ts'

/** The keys of an issuer whose keys are not in its settings. The error is for the log. */
export async function fetchKeys(
  http: HttpClient,
  issuer: string,
  source: SignInSettings['keys'] & { readonly from: 'discovery' | 'url' },
): Promise<Result<readonly PublicJwk[], string>> {
  const address = source.from === 'url' ? ok(source.url) : await discoverKeys(http, issuer)
  if (!address.ok) return address
  const document = await fetchJson(http, address.value)
  return document.ok ? readKeys(document.value) : document
}

/** OpenID Connect Discovery (OIDC-DISCOVERY §4.1): "any terminating / MUST be removed before appending". */
export const discoveryAddress = (issuer: string): string =>
  `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

async function discoverKeys(http: HttpClient, issuer: string): Promise<Result<string, string>> {
  const document = await fetchJson(http, discoveryAddress(issuer))
  if (!document.ok) return document
  const { issuer: named, jwks_uri: address } = (document.value ?? {}) as Readonly<Record<string, unknown>>
  // OIDC-DISCOVERY §4.3: the issuer "MUST exactly match the value of the iss Claim".
  if (named !== issuer) return err('the discovery document names another issuer')
  return typeof address === 'string' ? ok(address) : err('the discovery document has no jwks_uri')
}

/** Redirects are not followed: a redirect is an answer without keys. */
async function fetchJson(http: HttpClient, url: string): Promise<Result<unknown, string>> {
  const answer = await http({
    method: 'GET',
    url,
    headers: { accept: 'application/json, application/jwk-set+json' },
    timeoutMs: FETCH_TIMEOUT_MS,
    maxBytes: MAX_KEYS_BYTES,
  })
  if (!answer.ok) return err(answer.error.message)
  if (answer.value.status !== 200) return err(`it answered ${answer.value.status}`)
  return parseJson(answer.value.body)
}

/** RFC 7517 §5: keys that are not understood are ignored, as are those that are for something else, secret or too many. */
export function readKeys(document: unknown): Result<readonly PublicJwk[], string> {
  const keys = (document as { readonly keys?: unknown } | null)?.keys
  if (!Array.isArray(keys)) return err('it has no list of keys')
  const known = keys.slice(0, MAX_KEYS).flatMap((key: unknown) => {
    const parsed = publicJwkSchema.safeParse(key)
    return parsed.success && isForSignatures(key as Readonly<Record<string, unknown>>) ? [parsed.data] : []
  })
  return known.length === 0 ? err('it has no key that verifies signatures') : ok(known)
}

/** RFC 7517 §4.2, §4.3. SPIFFE-BUNDLE §4.2.2: a bundle's keys say `jwt-svid` where they sign tokens. */
function isForSignatures({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  const isUse = use === undefined || use === 'sig' || use === 'jwt-svid'
  return isUse && (operations === undefined || (Array.isArray(operations) && operations.includes('verify')))
}
