import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, fromBase64, fromHex, toHex } from '../../../../src/core/bytes.ts'
import { type DecodedMessage, decodeMessage, encodeMessage } from '../../../../src/dns/wire/message.ts'
import type { TsigData } from '../../../../src/dns/wire/record.ts'
import { signRequest, type TsigKey, verifyAnswer } from '../../../../src/dns/wire/tsig.ts'
import { SIGNED_AT_SECONDS, TSIG_VECTORS, type TsigVector } from './tsig-vectors.ts'

function octetsOf(hex: string): Bytes {
  const octets = fromHex(hex)
  if (octets === null) throw new Error('not hex')
  return octets
}

function decoded(octets: Bytes): DecodedMessage {
  const result = decodeMessage(octets)
  if (!result.ok) throw new Error(result.error.reason)
  return result.value
}

function tsigOf(octets: Bytes): TsigData {
  const data = decoded(octets).message.additionals.at(-1)?.data
  if (data?.type !== 250) throw new Error('no TSIG')
  return data
}

function keyOf(vector: TsigVector): TsigKey {
  const secret = fromBase64(vector.secretBase64)
  if (secret === null) throw new Error('not base64')
  return { name: vector.keyName, algorithm: vector.algorithm, secret }
}

/** The message as it was before nsupdate signed it: one additional record less, cut before the TSIG. */
function unsigned(request: Bytes): Bytes {
  const cut = request.slice(0, decoded(request).lastRecordOffset)
  cut[11] = (cut[11] ?? 0) - 1
  return cut
}

/** The answer with its TSIG record written anew. */
function withTsig(answer: Bytes, change: Partial<TsigData>, keyName?: string): Bytes {
  const { message } = decoded(answer)
  const record = message.additionals.at(-1)
  if (record?.data.type !== 250) throw new Error('no TSIG')
  const changed = { ...record, name: keyName ?? record.name, data: { ...record.data, ...change } }
  const encoded = encodeMessage({ ...message, additionals: [changed] })
  if (!encoded.ok) throw new Error(encoded.error)
  return encoded.value
}

/** The answer signed again over changed fields, as a server with the key would. */
async function resigned(vector: TsigVector, answer: Bytes, change: Partial<TsigData>): Promise<Bytes> {
  const key = keyOf(vector)
  const requestMac = tsigOf(octetsOf(vector.requestHex)).mac
  const blank = withTsig(answer, change)
  const record = decoded(blank)
  const tsig = tsigOf(blank)
  const body = blank.slice(0, record.lastRecordOffset)
  body[11] = (body[11] ?? 0) - 1
  const name = (text: string): Uint8Array =>
    concatBytes(Uint8Array.of(text.length), new TextEncoder().encode(text), Uint8Array.of(0))
  const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255)
  const time = octetsOf(tsig.timeSignedSeconds.toString(16).padStart(12, '0'))
  const covered = concatBytes(
    u16(requestMac.length),
    requestMac,
    body,
    name(vector.keyName),
    octetsOf('00ff00000000'),
    name(vector.algorithm),
    time,
    u16(tsig.fudgeSeconds),
    u16(tsig.error),
    u16(tsig.otherData.length),
    tsig.otherData,
  )
  const hash = vector.algorithm.replace('hmac-sha', 'SHA-')
  const hmac = await crypto.subtle.importKey('raw', key.secret, { name: 'HMAC', hash }, false, ['sign'])
  return withTsig(answer, { ...change, mac: new Uint8Array(await crypto.subtle.sign('HMAC', hmac, covered)) })
}

function verify(vector: TsigVector, answer: Bytes, key = keyOf(vector), nowSeconds = SIGNED_AT_SECONDS) {
  const requestMac = tsigOf(octetsOf(vector.requestHex)).mac
  return verifyAnswer(answer, decoded(answer), key, requestMac, nowSeconds)
}

describe.each(TSIG_VECTORS)('TSIG with $algorithm, as BIND does it', (vector) => {
  const request = octetsOf(vector.requestHex)
  const answer = octetsOf(vector.answerHex)

  it('ok: signs a message into the very octets of nsupdate (RFC 8945 §5.1)', async () => {
    const signed = await signRequest(unsigned(request), keyOf(vector), SIGNED_AT_SECONDS)
    expect(toHex(signed.octets)).toBe(vector.requestHex)
    expect(toHex(signed.mac)).toBe(toHex(tsigOf(request).mac))
  })

  it("ok: believes named's answer (RFC 8945 §5.4)", async () => {
    expect(await verify(vector, answer)).toEqual({ ok: true, value: undefined })
  })

  it('ok: the clocks may differ by the fudge and not by a second more (RFC 8945 §5.2.3)', async () => {
    expect(await verify(vector, answer, undefined, SIGNED_AT_SECONDS + 300)).toMatchObject({ ok: true })
    expect(await verify(vector, answer, undefined, SIGNED_AT_SECONDS - 300)).toMatchObject({ ok: true })
    expect(await verify(vector, answer, undefined, SIGNED_AT_SECONDS + 301)).toEqual({
      ok: false,
      error: { reason: 'bad_time', timeSignedSeconds: SIGNED_AT_SECONDS, nowSeconds: SIGNED_AT_SECONDS + 301 },
    })
    expect(await verify(vector, answer, undefined, SIGNED_AT_SECONDS - 301)).toMatchObject({
      error: { reason: 'bad_time' },
    })
  })

  it('fail: an answer with any one bit of it changed is not believed', async () => {
    let believed = 0
    let tried = 0
    for (let at = 0; at < answer.length; at += 1) {
      const forged = answer.slice()
      forged[at] = (forged[at] ?? 0) ^ 1
      const read = decodeMessage(forged)
      // The ID in the header may differ: RFC 8945 §4.3.2 puts the original one back before the MAC is taken.
      if (!read.ok || at < 2) continue
      tried += 1
      const result = await verifyAnswer(forged, read.value, keyOf(vector), tsigOf(request).mac, SIGNED_AT_SECONDS)
      if (result.ok) believed += 1
    }
    expect(tried).toBeGreaterThan(70)
    expect(believed).toBe(0)
  })

  it('fail: the answer to another request', async () => {
    const otherMac = tsigOf(request).mac.map((octet) => octet ^ 0xff)
    const result = await verifyAnswer(answer, decoded(answer), keyOf(vector), otherMac, SIGNED_AT_SECONDS)
    expect(result).toEqual({ ok: false, error: { reason: 'bad_mac' } })
  })

  it('fail: another secret', async () => {
    const key = { ...keyOf(vector), secret: new Uint8Array(32) }
    expect(await verify(vector, answer, key)).toEqual({ ok: false, error: { reason: 'bad_mac' } })
  })

  it('fail: a MAC that is cut short (RFC 8945 §5.2.2.1)', async () => {
    const cut = withTsig(answer, { mac: tsigOf(answer).mac.slice(0, 16) })
    expect(await verify(vector, cut)).toEqual({ ok: false, error: { reason: 'bad_mac' } })
  })

  it('fail: another key name or another algorithm', async () => {
    const renamed = withTsig(answer, {}, 'other-key')
    const error = { reason: 'other_key', name: 'other-key', algorithm: vector.algorithm }
    expect(await verify(vector, renamed)).toEqual({ ok: false, error })
    const changed = withTsig(answer, { algorithm: 'hmac-md5.sig-alg.reg.int' })
    expect(await verify(vector, changed)).toMatchObject({ error: { reason: 'other_key' } })
  })

  it('fail: no TSIG at all, or one that is not the last record', async () => {
    const { message } = decoded(answer)
    const bare = encodeMessage({ ...message, additionals: [] })
    const [record] = message.additionals
    if (!bare.ok || record === undefined) throw new Error('cannot build the answer')
    expect(await verify(vector, bare.value)).toEqual({ ok: false, error: { reason: 'unsigned' } })
    const address = { name: 'x', class: 1, ttlSeconds: 0, data: { type: 1, address: '192.0.2.1' } } as const
    for (const additionals of [
      [record, address],
      [record, record],
      [{ ...record, class: 1 }],
      [{ ...record, ttlSeconds: 1 }],
    ]) {
      const built = encodeMessage({ ...message, additionals })
      if (!built.ok) throw new Error(built.error)
      expect(await verify(vector, built.value)).toEqual({ ok: false, error: { reason: 'unsigned' } })
    }
  })

  it('fail: BADKEY and BADSIG come unsigned and are told apart (RFC 8945 §5.3.2)', async () => {
    for (const error of [16, 17]) {
      const refused = withTsig(answer, { error, mac: new Uint8Array(0) })
      expect(await verify(vector, refused)).toEqual({
        ok: false,
        error: { reason: 'rejected', error, serverTimeSeconds: null },
      })
    }
  })

  it("fail: BADTIME is signed and tells the server's time (RFC 8945 §5.2.3)", async () => {
    const refusal = { error: 18, otherData: octetsOf('00006b00ffff') }
    expect(await verify(vector, await resigned(vector, answer, refusal))).toEqual({
      ok: false,
      error: { reason: 'rejected', error: 18, serverTimeSeconds: 0x6b00ffff },
    })
    expect(await verify(vector, withTsig(answer, refusal))).toEqual({ ok: false, error: { reason: 'bad_mac' } })
  })
})
