/** A real OpenID provider on loopback, which gives out access tokens as JWTs, and can change its keys, fall silent or misbehave. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { freePort } from './ports.ts'

/** What becomes of a request for the keys. */
export type KeysAnswer = 'keys' | 'down' | 'silent' | 'huge' | 'redirect'

export interface OpenIdIssuer {
  /** As its tokens have it. */
  readonly issuer: string
  keysAnswer: KeysAnswer
  /** How often its keys were asked for. */
  keysAsked: number
  /** A token for that audience. */
  token(audience: string): Promise<string>
  /** From now on it signs with another key, and publishes that one alone. */
  rotate(): Promise<void>
  stop(): Promise<void>
}

const CLIENT = 'ci-job'
const SECRET = 'loopback-only'

export async function startOpenIdIssuer(): Promise<OpenIdIssuer> {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  let handle = await newProvider(issuer)
  const state: OpenIdIssuer = {
    issuer,
    keysAnswer: 'keys',
    keysAsked: 0,
    async token(audience) {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${CLIENT}:${SECRET}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
      })
      const answer = (await response.json()) as { access_token?: string }
      if (answer.access_token === undefined) throw new Error(JSON.stringify(answer))
      return answer.access_token
    },
    async rotate() {
      handle = await newProvider(issuer)
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  const server = createServer((request, response) => {
    if (request.url === '/jwks') {
      state.keysAsked += 1
      if (misbehave(state.keysAnswer, request, response)) return
    }
    handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return state
}

/** Answers in another way than with keys; false where the keys are to be given. */
function misbehave(answer: KeysAnswer, request: IncomingMessage, response: ServerResponse): boolean {
  if (answer === 'keys') return false
  if (answer === 'down') request.socket.destroy()
  if (answer === 'redirect') response.writeHead(302, { location: '/jwks?moved' }).end()
  if (answer === 'huge') response.end(`{"keys":[${' '.repeat(1_000_000)}]}`)
  return true
}

type Handle = (request: IncomingMessage, response: ServerResponse) => void

async function newProvider(issuer: string): Promise<Handle> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' }
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      {
        client_id: CLIENT,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: '',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
  return provider.callback()
}
