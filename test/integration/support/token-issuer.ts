/** An issuer of tokens: its keys, what it publishes, and the network that leads to it. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { utf8 } from '../../../src/core/bytes.ts'
import type { HttpClient, HttpResponse } from '../../../src/core/http-client.ts'
import { err, ok } from '../../../src/core/result.ts'

export const ISSUER = 'https://issuer.example'
export const NOW_MS = Date.parse('2026-11-20T12:00:00Z')
const NOW = NOW_MS / 1_000

export interface TestKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

export async function newKey(kid: string, alg = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export interface TokenParts {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

/** A token that ends in five minutes; claims that are undefined are left out. */
export function sign(key: TestKey, { claims, header }: TokenParts): Promise<string> {
  const all = { iss: ISSUER, sub: 'repo:octo/site', iat: NOW - 10, exp: NOW + 300, ...claims }
  return new SignJWT(JSON.parse(JSON.stringify(all)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
    .sign(key.privateKey)
}

/** What an issuer publishes, and how often it was asked. */
export interface Published {
  keys: readonly JWK[]
  /** Paths, in the order in which they were asked for. */
  readonly asked: string[]
  /** In place of an answer. */
  fails: 'not' | 'unreachable' | 'redirect' | 'no-keys'
  /** Answers come after it. */
  wait: Promise<void>
  readonly http: HttpClient
}

export function publish(keys: readonly TestKey[]): Published {
  const published: Published = {
    keys: keys.map(({ jwk }) => jwk),
    asked: [],
    fails: 'not',
    wait: Promise.resolve(),
    async http({ url }) {
      const { pathname } = new URL(url)
      published.asked.push(pathname)
      await published.wait
      if (published.fails === 'unreachable')
        return err({ reason: 'unreachable', url, message: 'the connection failed' })
      const body = published.fails === 'no-keys' ? { keys: [] } : DOCUMENTS[pathname]?.(published)
      return ok(answer(url, published.fails === 'redirect' ? 302 : body === undefined ? 404 : 200, body ?? {}))
    },
  }
  return published
}

const DOCUMENTS: Readonly<Record<string, (published: Published) => unknown>> = {
  '/.well-known/openid-configuration': () => ({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` }),
  '/keys': ({ keys }) => ({ keys }),
}

const answer = (url: string, status: number, body: unknown): HttpResponse => ({
  status,
  headers: new Headers({ location: 'https://elsewhere.example/keys' }),
  body: utf8(JSON.stringify(body)),
  url,
})
