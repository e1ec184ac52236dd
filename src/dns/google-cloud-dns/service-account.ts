/** Service accounts of Google Cloud: their key files read, and assertions signed with them. Makes no calls. */
import { importPKCS8, SignJWT } from 'jose'
import { z } from 'zod'
import { err, ok, type Result } from '../../core/result.ts'

export interface ServiceAccount {
  readonly email: string
  readonly keyId: string | null
  readonly privateKeyPem: string
  readonly tokenUri: string
  readonly projectId: string | null
}

/** The scope that reads zones and changes record sets (developers.google.com/identity/protocols/oauth2/scopes#dns). */
const SCOPE = 'https://www.googleapis.com/auth/ndev.clouddns.readwrite'

/** "maximum of 1 hour after the issued time" (developers.google.com/identity/protocols/oauth2/service-account). */
const ASSERTION_SECONDS = 3600

const schema = z.object({
  type: z.literal('service_account'),
  client_email: z.string().regex(/^[\x21-\x7e]{3,320}$/),
  private_key: z.string().regex(/^\s*-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END PRIVATE KEY-----\s*$/),
  private_key_id: z.string().optional(),
  token_uri: z.string().default('https://oauth2.googleapis.com/token'),
  project_id: z.string().optional(),
})

/** Reads a key file as the console makes it. The error names the member that is wrong and never its value. */
export function parseServiceAccount(text: string): Result<ServiceAccount, string> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return err('it is not JSON; give the whole key file')
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join('.') || 'the whole'
    return err(`${where} is not as in the key file of a service account`)
  }
  const { client_email, private_key, private_key_id, token_uri, project_id } = parsed.data
  return ok({
    email: client_email,
    keyId: private_key_id ?? null,
    privateKeyPem: private_key.trim(),
    tokenUri: token_uri,
    projectId: project_id ?? null,
  })
}

/** https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests */
export async function signAssertion(account: ServiceAccount, nowMs: number): Promise<Result<string, string>> {
  let key: Awaited<ReturnType<typeof importPKCS8>>
  try {
    key = await importPKCS8(account.privateKeyPem, 'RS256')
  } catch {
    return err('the private_key of service_account_json is no RSA key')
  }
  const issuedAt = Math.floor(nowMs / 1000)
  const assertion = await new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(account.keyId === null ? {} : { kid: account.keyId }) })
    .setIssuer(account.email)
    .setAudience(account.tokenUri)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ASSERTION_SECONDS)
    .sign(key)
  return ok(assertion)
}
