/** What answers a challenge, with the drafts' and the RFC's own examples. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { dns01RecordName, dns01Value, keyAuthorization, tlsAlpn01Digest } from '../../../src/acme/challenge.ts'
import { buildPersistRecord, parsePersistRecord, persistAccountHash } from '../../../src/acme/dns-persist.ts'

describe('key authorizations (RFC 8555 §8)', () => {
  /** RFC 8555 §8.4's token, with the thumbprint of RFC 7638 §3.1. */
  const TOKEN = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'
  const THUMBPRINT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
  const authorization = keyAuthorization(TOKEN, THUMBPRINT)

  it('ok: the TXT value is the hash of token, dot and thumbprint (RFC 8555 §8.1, §8.4)', async () => {
    const expected = createHash('sha256').update(`${TOKEN}.${THUMBPRINT}`).digest('base64url')
    expect(await dns01Value(authorization)).toBe(expected)
    expect(expected).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it('ok: a wildcard’s record stands at its parent', () => {
    expect(dns01RecordName('*.acme.example')).toBe('_acme-challenge.acme.example')
    expect(dns01RecordName('www.acme.example')).toBe('_acme-challenge.www.acme.example')
  })

  it('ok: the digest of tls-alpn-01', async () => {
    const expected = createHash('sha256').update(authorization).digest('hex')
    expect(Buffer.from(await tlsAlpn01Digest(authorization)).toString('hex')).toBe(expected)
  })
})

describe('dns-persist-01', () => {
  const account = {
    accountUrl: 'https://ca.example/acct/123',
    thumbprint: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
  }
  const hashing = {
    accountHashPrefix: 'https://ca.example/account-hash/',
    issuerDomainNames: ['authority.example'],
    caaIdentities: [],
  }
  const clear = { accountHashPrefix: null, issuerDomainNames: [], caaIdentities: ['ca.example'] }

  it('ok: the hashes of draft-ietf-acme-dns-persist-02', async () => {
    expect(await persistAccountHash('example.com', account)).toBe('5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw')
    expect(await persistAccountHash('*', account)).toBe('NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug')
  })

  it('ok: -02: the account is hashed, and its address does not show', async () => {
    expect(await buildPersistRecord({ domain: 'EXAMPLE.com.', account, meta: hashing, challenge: null })).toEqual({
      ok: true,
      value: {
        name: '_validation-persist.example.com',
        value:
          'authority.example; accounturi=https://ca.example/account-hash/sha-256/5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw',
        draft: '02',
      },
    })
  })

  it('ok: -02: one account name for every domain', async () => {
    const record = await buildPersistRecord({
      domain: 'example.com',
      account,
      meta: hashing,
      challenge: null,
      sameForEveryDomain: true,
    })
    expect(record).toMatchObject({
      ok: true,
      value: { value: expect.stringContaining('sha-256/NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug') },
    })
  })

  it('ok: -01: the address that the challenge names goes in verbatim, and a wildcard sets the policy', async () => {
    const challenge = {
      issuerDomainNames: ['issuer.example', 'other.example'],
      accountUri: 'https://ca.example/ACCT/7',
    }
    const record = await buildPersistRecord({
      domain: '*.example.com',
      account,
      meta: clear,
      challenge,
      persistUntilMs: 1_800_000_000_999,
    })
    expect(record).toEqual({
      ok: true,
      value: {
        name: '_validation-persist.example.com',
        value: 'issuer.example; accounturi=https://ca.example/ACCT/7; policy=wildcard; persistUntil=1800000000',
        draft: '01',
      },
    })
  })

  it('ok: -00: neither is there: the account’s own address', async () => {
    const record = await buildPersistRecord({ domain: 'example.com', account, meta: clear, challenge: null })
    expect(record).toMatchObject({
      ok: true,
      value: { value: 'ca.example; accounturi=https://ca.example/acct/123', draft: '00' },
    })
  })

  it('fail: a CA without a name, an address that a record cannot hold', async () => {
    const nameless = { ...clear, caaIdentities: [] }
    expect(await buildPersistRecord({ domain: 'example.com', account, meta: nameless, challenge: null })).toMatchObject(
      {
        ok: false,
      },
    )
    const odd = { ...account, accountUrl: 'https://ca.example/acct;policy=wildcard' }
    expect(
      await buildPersistRecord({ domain: 'example.com', account: odd, meta: clear, challenge: null }),
    ).toMatchObject({ ok: false })
  })

  it('ok: a record is read whatever its white space and the case of its parameters', () => {
    expect(
      parsePersistRecord(' CA.example. ;AccountURI = https://ca.example/a/1;policy=WILDCARD; persistUntil=5 ;'),
    ).toEqual({
      issuerDomainName: 'ca.example',
      accountUri: 'https://ca.example/a/1',
      wildcard: true,
      persistUntilMs: 5_000,
    })
    expect(parsePersistRecord('ca.example; accounturi=https://ca.example/a/1; later=x')).toMatchObject({
      wildcard: false,
      persistUntilMs: null,
    })
  })

  for (const [what, value] of [
    ['no account', 'ca.example; policy=wildcard'],
    ['an empty account', 'ca.example; accounturi='],
    ['two accounts', 'ca.example; accounturi=https://a.example; accounturi=https://b.example'],
    ['a date that is no number', 'ca.example; accounturi=https://a.example; persistUntil=tomorrow'],
    ['no issuer', '; accounturi=https://a.example'],
    ['something else', 'v=spf1 -all'],
    ['a parameter without a value', 'ca.example; accounturi'],
  ] as const) {
    it(`fail: a record with ${what}`, () => {
      expect(parsePersistRecord(value)).toBeNull()
    })
  }
})
