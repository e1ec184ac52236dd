/** What Cloudflare is asked with, and what it may answer: another shape is told, never followed. */
import { describe, expect, it } from 'vitest'
import { createCloudflareApi } from '../../../tools/deploy/cloudflare-api.ts'
import { DeployError } from '../../../tools/deploy/deploy-error.ts'
import { findDatabase, findMissingQueues } from '../../../tools/deploy/resources.ts'
import { deploy } from '../../../tools/deploy/steps.ts'
import type { Target } from '../../../tools/deploy/target.ts'
import { findAccount, findWorker, workersDevAddress } from '../../../tools/deploy/worker.ts'

const ACCOUNT = 'a0123456789abcdef0123456789abcde'
const TARGET: Target = {
  workerName: 'w',
  database: { name: 'd', id: null },
  bucketName: 'b',
  queueNames: ['q'],
  migrations: [],
  publicUrl: null,
}
type Api = ReturnType<typeof createCloudflareApi>
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => (error instanceof DeployError ? error.message : `not for the reader: ${error}`),
  )
const answering = (status: number, text: string): Api =>
  createCloudflareApi('https://api.example', 'token', async () => new Response(text, { status }))

const LOOKS: readonly (readonly [string, (api: Api) => Promise<unknown>])[] = [
  ['accounts', (api) => findAccount(api)],
  ['database', (api) => findDatabase(api, ACCOUNT, TARGET)],
  ['queues', (api) => findMissingQueues(api, ACCOUNT, TARGET)],
  ['worker', (api) => findWorker(api, ACCOUNT, 'w')],
  ['subdomain', (api) => workersDevAddress(api, ACCOUNT, 'w')],
]

describe('an answer of another shape', () => {
  const bodies = [
    '{"success":true,"result":null}',
    '{"success":true,"result":[null]}',
    '{"success":true,"result":"nope"}',
    '{"success":false,"errors":"nope"}',
    '{"success":false,"errors":[null]}',
    '[]',
    '<html>sign in</html>',
  ]
  it.each(bodies.flatMap((body) => LOOKS.map(([what, look]) => ({ what, body, look }))))(
    'fail: is told: $what, $body',
    async ({ body, look }) => {
      expect(await failureOf(look(answering(200, body)))).toMatch(
        /^Cloudflare answered GET \/\S+ with something that is not what its API describes$/,
      )
    },
  )

  it.each(['{"success":false,"errors":"nope"}', '{"errors":[null]}', '<html>bad gateway</html>'])(
    'fail: with an error status it is that refusal: %s',
    async (body) => {
      expect(await failureOf(findAccount(answering(502, body)))).toMatch(/^Cloudflare refused GET .*: HTTP status 502$/)
    },
  )

  it("ok: a refusal without a result is told in Cloudflare's words", async () => {
    const refused = answering(400, '{"success":false,"errors":[{"code":7,"message":"Too long"}]}')
    expect(await failureOf(findAccount(refused))).toMatch(/: Too long \[code: 7\]$/)
  })
})

describe('what the environment gives', () => {
  const deployWith = (env: Readonly<Record<string, string>>): Promise<unknown> =>
    failureOf(
      deploy(
        { dryRun: true, publicUrl: null, newKeyRing: false },
        {
          env: { CLOUDFLARE_API_TOKEN: 'token', CLOUDFLARE_ACCOUNT_ID: ACCOUNT, ...env },
          fetch: async (input, init) => new Response(`${new Request(input, init).url}`, { status: 502 }),
          keptFolder: '.deploy',
          say: () => undefined,
          ask: null,
          readyTimeoutMs: 0,
        },
      ),
    )

  it.each(['MARKED\nMARKED', 'MARKED\r\n', 'MARKED MARKED', 'MARKED\u0000', 'MARKED\u00fc'])(
    'fail: a token that cannot be one is told, and not printed: %j',
    async (CLOUDFLARE_API_TOKEN) => {
      expect(await deployWith({ CLOUDFLARE_API_TOKEN })).toBe(
        'CLOUDFLARE_API_TOKEN holds a line break or another character that no token has',
      )
    },
  )

  it.each(['a', `${ACCOUNT}0`, '../user', `${ACCOUNT}/x`, `${ACCOUNT}\n`])(
    'fail: an account that cannot be one is told: %j',
    async (CLOUDFLARE_ACCOUNT_ID) => {
      expect(await deployWith({ CLOUDFLARE_ACCOUNT_ID })).toBe('CLOUDFLARE_ACCOUNT_ID is not 32 hexadecimal digits')
    },
  )

  it('fail: why an answer failed to come holds no token', async () => {
    const api = createCloudflareApi('https://api.example', 'MARKED', async () => {
      throw new TypeError('failed', { cause: new Error('"Bearer MARKED" is wrong') })
    })
    const message = String(await failureOf(findAccount(api)))
    expect([message.startsWith("Cloudflare's API did not answer"), message.includes('MARKED')]).toEqual([true, false])
  })
})
