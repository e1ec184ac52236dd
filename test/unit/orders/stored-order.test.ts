/** What an order's object has stored, read as this release and as earlier ones wrote it. */
import { describe, expect, it } from 'vitest'
import { decodeCommands, decodeOrderState } from '../../../src/orders/stored-order.ts'

const RECORD = {
  providerId: 'dnsp_1',
  zone: 'example.org',
  name: '_acme-challenge.example.org',
  value: 'v',
  ttlSeconds: 60,
}

/** Version 1, as its first releases wrote it. */
const FIRST = {
  version: 1,
  tenantId: 'default',
  orderId: 'acme_order_1',
  certificateId: 'cert_1',
  purpose: 'renewal',
  requestedBy: 'system',
  request: {
    accountId: 'acme_1',
    domains: ['example.org', '*.example.org'],
    challengeType: 'dns-01',
    autoRenew: true,
    key: { type: 'ec', size: 256 },
    csrBase64: null,
    dnsProviderIds: null,
    preferredChain: null,
    profile: null,
    notAfterMs: null,
    solver: 'auto',
  },
  createdAtMs: 1,
  job: {
    phase: 'authorize',
    enteredAtMs: 2,
    errors: 1,
    restarts: 1,
    wakeAtMs: 3,
    failure: null,
    warnings: ['w'],
  },
  ca: { orderUrl: 'https://ca.example/1', finalizeUrl: 'https://ca.example/1/f', certificateUrl: null },
  authorizations: [
    {
      url: 'https://ca.example/a/1',
      domain: 'example.org',
      wildcard: true,
      status: 'valid',
      challenge: null,
      record: null,
    },
    {
      url: 'https://ca.example/a/2',
      domain: 'example.org',
      wildcard: false,
      status: 'pending',
      challenge: {
        id: 'acme_chal_1_0',
        type: 'dns-01',
        url: 'https://ca.example/c/2',
        token: 't',
        keyAuthorization: 't.k',
        recordValue: 'v',
        status: 'processing',
        error: null,
        answered: true,
      },
      record: { ...RECORD, challengeName: '_acme-challenge.example.org', written: true },
    },
  ],
  leftovers: [{ ...RECORD, written: true }],
  sealedKey: null,
  csrBase64: null,
  finalizeSent: false,
  notAfterMs: null,
  polls: 4,
  log: [{ atMs: 5, message: 'm' }],
}

/** Version 1, as its last release wrote it. */
const LAST = {
  ...FIRST,
  request: { ...FIRST.request, retry: true },
  job: {
    ...FIRST.job,
    notBeforeMs: 9,
    waitingFor: 'x',
    lastError: { code: 'c', message: 'm' },
    attempt: 2,
    beginsAnew: true,
  },
  finalizeTold: true,
  finalizeRefusal: { message: 'r', count: 3 },
  lastLook: ['a line'],
  reported: 'shown',
  verdictReported: true,
}

describe('the stored state of an order', () => {
  it('ok: version 1 of its first releases: everything is kept, and what it lacks is empty', () => {
    const { leftovers, ...same } = FIRST
    const lacking = { notBeforeMs: null, waitingFor: null, lastError: null, attempt: null, beginsAnew: false }
    expect(decodeOrderState(FIRST)).toEqual({
      ...same,
      version: 2,
      request: { ...FIRST.request, retry: false },
      job: { ...FIRST.job, ...lacking },
      staleRecords: leftovers,
      finalizeJournaled: false,
      finalizeRefusal: null,
      lastPoll: [],
      reported: null,
      cancelsJournaled: 0,
      verdictReported: false,
    })
  })

  it('ok: version 1 of its last release, under its new names', () => {
    const { leftovers, finalizeTold, lastLook, ...same } = LAST
    expect(decodeOrderState(LAST)).toEqual({
      ...same,
      version: 2,
      staleRecords: leftovers,
      finalizeJournaled: finalizeTold,
      lastPoll: lastLook,
      cancelsJournaled: 0,
    })
  })

  it('ok: version 2 is read as it was written', () => {
    const state = decodeOrderState(LAST)
    expect(decodeOrderState(structuredClone(state))).toEqual(state)
  })

  it.each([
    ['of a version that is not known', { ...FIRST, version: 3 }, 'version'],
    ['without the records that are to be removed', { ...FIRST, leftovers: undefined }, 'staleRecords'],
    ['in a phase that does not exist', { ...FIRST, job: { ...FIRST.job, phase: 'rest' } }, 'job.phase'],
    ['that is none', 'state', ''],
  ])('fail: a state %s, which is named without its values', (_what, stored, place) => {
    expect(() => decodeOrderState(stored)).toThrow(`the stored state of an order cannot be read: ${place}`)
    expect(() => decodeOrderState(stored)).not.toThrow('t.k')
  })
})

describe('the stored commands of an order', () => {
  it('ok: none', () => {
    expect(decodeCommands(undefined, undefined)).toEqual({ cancelled: null, released: [], wake: false })
  })

  it.each([
    [
      { cancelled: false, released: [] },
      { cancelled: null, released: [], wake: false },
    ],
    [
      { cancelled: false, released: ['c'] },
      { cancelled: null, released: ['c'], wake: true },
    ],
    [
      { cancelled: false, released: ['c'], wanted: false },
      { cancelled: null, released: ['c'], wake: false },
    ],
    [
      { cancelled: true, released: [], wanted: true },
      { cancelled: { reason: 'the order was cancelled', by: [] }, released: [], wake: true },
    ],
    [
      { cancelled: true, reason: 'r', released: [] },
      { cancelled: { reason: 'r', by: [] }, released: [], wake: false },
    ],
  ])('ok: as earlier releases wrote them: %j', (wishes, commands) => {
    expect(decodeCommands(undefined, wishes)).toEqual(commands)
    expect(decodeCommands(commands, { cancelled: false, released: ['other'] })).toEqual(commands)
  })

  it('ok: who has cancelled, and a cancellation without anyone', () => {
    const stored = { cancelled: { reason: 'r' }, released: [], wake: true }
    expect(decodeCommands(stored, undefined)).toEqual({ ...stored, cancelled: { reason: 'r', by: [] } })
    const by = [
      { tokenId: 'tok_1', requestId: null },
      { tokenId: 'tok_2', requestId: 'req_2' },
    ]
    const two = { ...stored, cancelled: { reason: 'r', by } }
    expect(decodeCommands(two, undefined)).toEqual(two)
  })

  it('fail: what cannot be read is not taken for none', () => {
    expect(() => decodeCommands({ cancelled: true }, undefined)).toThrow('the stored commands of an order')
    expect(() => decodeCommands(undefined, { cancelled: 'yes' })).toThrow('the stored commands of an order')
  })
})
