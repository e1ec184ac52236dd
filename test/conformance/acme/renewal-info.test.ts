/** ACME Renewal Information (RFC 9773) as Pebble gives it, and as it should not. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AcmeClient } from '../../../src/acme/client.ts'
import { buildCertificateId, chooseRenewalTime } from '../../../src/acme/renewal-info.ts'
import { type Bind, startBind } from '../../support/bind.ts'
import { type Pebble, startPebble } from '../../support/pebble.ts'
import { type Issued, issue, must, registeredClient } from './pebble-client.ts'

const NAME = 'renewed.acme.example'
const DAY_MS = 86_400_000

let bind: Bind
let pebble: Pebble
let client: AcmeClient
let issued: Issued
let leaf: X509Certificate
let certificateId: string
beforeAll(async () => {
  bind = await startBind({ zones: ['acme.example'] })
  pebble = await startPebble({ dnsServer: bind.address, validitySeconds: 90 * 86_400 })
  client = await registeredClient(pebble)
  issued = await issue(client, bind, [NAME])
  const chain = must(await client.certificate(issued.order.certificateUrl ?? ''))
  leaf = new X509Certificate(chain.certificatesDer[0] ?? new Uint8Array())
  certificateId = certificateIdOf(leaf, new X509Certificate(chain.certificatesDer[1] ?? new Uint8Array()))
})
afterAll(async () => {
  await pebble?.stop()
  await bind?.stop()
})

/** RFC 9773 §4.1, with the parts as Node reads them from the certificate. */
function certificateIdOf(leaf: X509Certificate, issuer: X509Certificate): string {
  const serial = Buffer.from(
    leaf.serialNumber.padStart(leaf.serialNumber.length + (leaf.serialNumber.length % 2), '0'),
    'hex',
  )
  const content = (serial[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), serial]) : serial
  return buildCertificateId(subjectKeyIdentifierOf(issuer), content)
}

/** RFC 5280 §4.2.1.2: OID 2.5.29.14, then an OCTET STRING in an OCTET STRING. */
function subjectKeyIdentifierOf({ raw }: X509Certificate): Uint8Array {
  const at = raw.indexOf(Buffer.of(0x06, 0x03, 0x55, 0x1d, 0x0e)) + 5
  const length = raw[at + 3] ?? 0
  return raw.subarray(at + 4, at + 4 + length)
}

describe('renewal information', () => {
  it('ok: the window lies within the lifetime, and a time in it can be chosen', async () => {
    const window = must(await client.renewalInfo(certificateId))
    const notBefore = Date.parse(leaf.validFrom)
    expect(window.endMs - window.startMs).toBeGreaterThan(0)
    expect(Math.abs((window.startMs + window.endMs) / 2 - (notBefore + 60 * DAY_MS))).toBeLessThan(5 * DAY_MS)
    expect(chooseRenewalTime(window, 0)).toBe(window.startMs)
    expect(chooseRenewalTime(window, 0.999_999)).toBeLessThan(window.endMs)
    // RFC 9773 §4.3.2: at least a minute, at most a day.
    expect(window.retryAfterMs ?? 0).toBeGreaterThan(Date.now() + 50_000)
    expect(window.retryAfterMs ?? 0).toBeLessThanOrEqual(Date.now() + DAY_MS)
  })

  it('ok: a window that the CA moved is seen, with its explanation', async () => {
    const suggestedWindow = { start: '2026-01-02T03:04:05Z', end: '2026-01-03T00:00:00.5+01:00' }
    const explanationURL = 'https://ca.example/incident'
    await pebble.setRenewalInfo(leaf.toString(), JSON.stringify({ suggestedWindow, explanationURL }))
    expect(must(await client.renewalInfo(certificateId))).toMatchObject({
      startMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      endMs: Date.UTC(2026, 0, 2, 23, 0, 0, 500),
      explanationUrl: explanationURL,
    })
  })

  for (const [what, answer, wrong] of [
    ['no JSON', '{"suggestedWindow":', 'not_acme'],
    ['no window', '{}', 'shape'],
    ['a window that ends before it starts', windowOf('2026-03-02T00:00:00Z', '2026-03-01T00:00:00Z'), 'shape'],
    ['an empty window', windowOf('2026-03-01T00:00:00Z', '2026-03-01T00:00:00Z'), 'shape'],
    ['times that are none', windowOf('soon', 'later'), 'shape'],
  ] as const) {
    it(`fail: ${what}`, async () => {
      await pebble.setRenewalInfo(leaf.toString(), answer)
      expect(await client.renewalInfo(certificateId)).toMatchObject({
        ok: false,
        error: { reason: 'bad_answer', wrong },
      })
    })
  }

  it('fail: a certificate that the CA does not know', async () => {
    expect(await client.renewalInfo(`${certificateId.split('.')[0]}.AQID`)).toMatchObject({
      ok: false,
      error: { reason: 'problem', status: 404 },
    })
  })

  it('fail: a text that is no certID is not asked for', async () => {
    expect(await client.renewalInfo('../../directory')).toMatchObject({
      ok: false,
      error: { reason: 'invalid_argument' },
    })
  })
})

describe('replaces (RFC 9773 §5)', () => {
  it('ok: is taken once; the second order for the same certificate goes without it', async () => {
    const first = await issue(client, bind, [NAME], { replaces: certificateId })
    expect(first.created).toMatchObject({ replacesRefused: false, order: { replaces: certificateId } })
    const second = await issue(client, bind, [NAME], { replaces: certificateId })
    expect(second.created).toMatchObject({ replacesRefused: true, order: { replaces: null } })
    expect(second.order.status).toBe('valid')
  })
})

function windowOf(start: string, end: string): string {
  return JSON.stringify({ suggestedWindow: { start, end } })
}
