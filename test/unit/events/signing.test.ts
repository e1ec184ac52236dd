/** Signatures, judged by the specification's own library. */
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { toBase64 } from '../../../src/core/bytes.ts'
import { activeSecrets, newSigningSecret, readSigningSecret, signWebhook } from '../../../src/events/signing.ts'

const BODY = '{"id":"evt_1","type":"certificate.renewed","data":{"names":["dömäne.example"]}}'
const secretOf = (bytes: number): string => `whsec_${toBase64(new Uint8Array(bytes).fill(7))}`

describe('signing', () => {
  it('ok: the specification verifies what was signed', async () => {
    const secret = newSigningSecret()
    const headers = await signWebhook([secret], 'evt_1', Date.now(), BODY)
    expect(new Webhook(secret).verify(BODY, { ...headers })).toEqual(JSON.parse(BODY))
  })

  it('ok: with two secrets, holders of either verify', async () => {
    const [first, second] = [newSigningSecret(), newSigningSecret()]
    const headers = await signWebhook([first, second], 'evt_1', Date.now(), BODY)
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2)
    for (const secret of [first, second]) {
      expect(new Webhook(secret).verify(BODY, { ...headers })).toEqual(JSON.parse(BODY))
    }
  })

  it.each([
    ['another body', (headers: object) => [`${BODY} `, headers]],
    ['another id', (headers: object) => [BODY, { ...headers, 'webhook-id': 'evt_2' }]],
    [
      'another time',
      (headers: object) => [BODY, { ...headers, 'webhook-timestamp': String(Math.floor(Date.now() / 1_000) + 1) }],
    ],
  ] as const)('fail: %s does not verify', async (_what, change) => {
    const secret = newSigningSecret()
    const [body, headers] = change(await signWebhook([secret], 'evt_1', Date.now(), BODY)) as [
      string,
      Record<string, string>,
    ]
    expect(() => new Webhook(secret).verify(body, headers)).toThrow('No matching signature found')
  })

  it('fail: another secret does not verify', async () => {
    const headers = await signWebhook([newSigningSecret()], 'evt_1', Date.now(), BODY)
    expect(() => new Webhook(newSigningSecret()).verify(BODY, { ...headers })).toThrow('No matching signature found')
  })
})

describe('secrets', () => {
  it.each([24, 32, 64])('ok: %i bytes are a secret', (bytes) => {
    expect(readSigningSecret(secretOf(bytes))).toMatchObject({ ok: true })
  })

  it.each([
    'whsec_...',
    'whsec_',
    secretOf(23),
    secretOf(65),
    secretOf(32).replace('whsec_', ''),
    secretOf(32).replace('whsec_', 'whsk_'),
    `${secretOf(32)} `,
  ])('fail: %j is none, and is not quoted', (secret) => {
    const read = readSigningSecret(secret)
    expect(read.ok).toBe(false)
    expect(JSON.stringify(read)).not.toContain(toBase64(new Uint8Array(12).fill(7)))
  })

  it('ok: a secret that was replaced signs until its time is over', () => {
    const secrets = [
      { secret: 'new', untilMs: null },
      { secret: 'old', untilMs: 1_000 },
    ]
    expect(activeSecrets(secrets, 999).map(({ secret }) => secret)).toEqual(['new', 'old'])
    expect(activeSecrets(secrets, 1_000).map(({ secret }) => secret)).toEqual(['new'])
  })
})
