import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, createBindProvider, startAcmeSetup } from '../support/acme-setup.ts'
import { type DohServer, startDohServer } from '../support/doh-server.ts'

let setup: AcmeSetup
let resolver: DohServer

beforeAll(async () => {
  // Knows nothing of the zones, and that the DNSSEC of one name is bogus.
  resolver = await startDohServer((name, _, unvalidated) => {
    if (!name.endsWith('bogus.acme.example')) return 'silent'
    return unvalidated ? { rcode: 0 } : { rcode: 2 }
  })
  setup = await startAcmeSetup({
    zones: ['acme.example', 'challenges.example', 'elsewhere.example'],
    service: { env: { DNS_RESOLVERS: resolver.url } },
    // With Let's Encrypt's limits, at Pebble's address.
    account: { provider: 'letsencrypt', environment: 'production' },
  })
})
afterAll(async () => {
  await setup?.stop()
  await resolver?.stop()
})

/** The CAA identity in Pebble's directory. */
const CA = 'pebble.letsencrypt.org'

async function preflight(domains: readonly string[], more: Readonly<Record<string, unknown>> = {}) {
  const body = { account_id: setup.accountId, domains, challenge_type: 'dns-01', ...more }
  return setup.service.api('POST', '/v1/pki/acme/preflight', body)
}

/** The report of the one name. */
async function look(domain: string, more: Readonly<Record<string, unknown>> = {}) {
  const answer = await preflight([domain], more)
  expect(answer.status).toBe(200)
  return answer.body.names[0]
}

const caa = (name: string, tag: string, value: string) =>
  setup.bind.addRecord(`${name}.acme.example`, 'CAA', `0 ${tag} "${value}"`)

async function accountUrl(): Promise<string> {
  return (await setup.service.api('GET', `/v1/pki/acme/accounts/${setup.accountId}`)).body.account_url
}

describe('a preflight', () => {
  it('ok: says who would serve the names and that nothing is in the way, and leaves nothing behind', async () => {
    const zone = await setup.bind.transfer('acme.example')
    const events = (await setup.service.api('GET', '/v1/audit?limit=500')).body.data.length
    const { status, body } = await preflight(['www.acme.example', '*.acme.example'])
    expect([status, body.status]).toEqual([200, 'ok'])
    expect(body).toMatchObject({
      account_id: setup.accountId,
      challenge_type: 'dns-01',
      directory: { status: 'ok' },
      budget: { status: 'ok', allowed: true, limit: null, next_available_at: null },
    })
    expect(body.names.map(({ name }: { name: string }) => name)).toEqual(['www.acme.example', '*.acme.example'])
    expect(body.names[1].checks).toEqual({
      dns_provider: {
        status: 'ok',
        message: 'bind would write it into the zone acme.example',
        dns_provider_id: setup.providerId,
        zone: 'acme.example',
      },
      cname: {
        status: 'ok',
        message: '_acme-challenge.acme.example is no CNAME',
        record_name: '_acme-challenge.acme.example',
        target: '_acme-challenge.acme.example',
      },
      caa: {
        status: 'ok',
        message: 'no CAA record restricts issuance',
        issuer_domains: [CA],
        found_at: null,
        records: [],
      },
      persistent_record: {
        status: 'ok',
        message: 'no persistent record for this CA',
        record_name: '_validation-persist.acme.example',
        values: [],
      },
      http_01: null,
    })
    expect(await setup.bind.transfer('acme.example')).toEqual(zone)
    expect((await setup.service.api('GET', '/v1/pki/acme/orders')).body.data).toEqual([])
    expect((await setup.service.api('GET', '/v1/audit?limit=500')).body.data).toHaveLength(events)
  })

  it('ok: the target of a CNAME, and the zone that it leads into', async () => {
    await setup.bind.addCname('_acme-challenge.moved.acme.example', 'moved.challenges.example')
    expect((await look('moved.acme.example')).checks).toMatchObject({
      cname: { status: 'ok', target: 'moved.challenges.example' },
      dns_provider: { status: 'ok', zone: 'challenges.example' },
    })
  })

  it('ok: a wildcard CNAME is not followed where the name itself can be written (RFC 1034 §4.3.3)', async () => {
    await setup.bind.addCname('*.wild.acme.example', 'lb.elsewhere.example')
    const recordName = '_acme-challenge.wild.acme.example'
    expect((await look('wild.acme.example')).checks).toMatchObject({
      cname: { status: 'ok', target: recordName, message: expect.stringContaining('lb.elsewhere.example') },
      dns_provider: { status: 'ok', zone: 'acme.example' },
    })
    await setup.bind.removeRecord('*.wild.acme.example', 'CNAME')
  })

  it('ok: no CNAME is followed for a provider with follow_cname never', async () => {
    const never = { follow_cname: 'never' }
    const id = await createBindProvider(setup.service, setup.bind, ['acme.example'], never, 'never')
    await setup.bind.addCname('_acme-challenge.never.acme.example', 'never.challenges.example')
    expect((await look('never.acme.example', { dns_provider_id: id })).checks).toMatchObject({
      cname: { status: 'ok', target: '_acme-challenge.never.acme.example' },
      dns_provider: { status: 'ok', zone: 'acme.example' },
    })
    expect((await look('never.acme.example', { dns_provider_id: setup.providerId })).checks).toMatchObject({
      cname: { target: 'never.challenges.example' },
    })
    await setup.service.api('DELETE', `/v1/pki/dns-providers/${id}`)
  })

  it('fail: a zone whose DNSSEC is bogus, though its own server answers (RFC 4035 §5.5)', async () => {
    const report = await look('bogus.acme.example')
    const bogus = { status: 'error', message: expect.stringContaining('the DNSSEC of bogus.acme.example is bogus') }
    expect(report).toMatchObject({ status: 'error', checks: { cname: bogus, caa: bogus } })
  })

  it('fail: CNAMEs in a circle', async () => {
    await setup.bind.addCname('_acme-challenge.round.acme.example', 'round.challenges.example')
    await setup.bind.addCname('round.challenges.example', '_acme-challenge.round.acme.example')
    const { checks } = await look('round.acme.example')
    expect(checks.cname).toMatchObject({ status: 'error', target: null })
  })

  it('fail: CAA that names another CA, or nobody (RFC 8659 §4.2)', async () => {
    await caa('foreign', 'issue', 'other.example')
    const foreign = await look('www.foreign.acme.example')
    expect(foreign).toMatchObject({ status: 'error' })
    expect(foreign.checks.caa).toEqual({
      status: 'error',
      message: expect.stringContaining('other.example'),
      issuer_domains: [CA],
      found_at: 'foreign.acme.example',
      records: [{ flags: 0, tag: 'issue', value: 'other.example' }],
    })
    await caa('closed', 'issue', ';')
    expect((await look('closed.acme.example')).checks.caa.status).toBe('error')
  })

  it('ok: issuewild counts for the wildcard alone (RFC 8659 §4.3)', async () => {
    await caa('wild', 'issue', 'other.example')
    await caa('wild', 'issuewild', CA)
    expect((await look('*.wild.acme.example')).checks.caa.status).toBe('ok')
    expect((await look('wild.acme.example')).checks.caa.status).toBe('error')
  })

  it('ok: accounturi and validationmethods are compared with the account and the challenge (RFC 8657 §3, §4)', async () => {
    await caa('mine', 'issue', `${CA}; accounturi=${await accountUrl()}; validationmethods=dns-01`)
    expect((await look('mine.acme.example')).checks.caa.status).toBe('ok')
    await caa('theirs', 'issue', `${CA}; accounturi=https://ca.example/acct/1`)
    expect((await look('theirs.acme.example')).checks.caa).toMatchObject({
      status: 'error',
      message: expect.stringContaining('https://ca.example/acct/1'),
    })
    await caa('by-http', 'issue', `${CA}; validationmethods=http-01`)
    expect((await look('by-http.acme.example')).checks.caa).toMatchObject({
      status: 'error',
      message: expect.stringContaining('http-01'),
    })
  })

  it('ok: a persistent record of this account; fail: of another one', async () => {
    const own = `${CA}; accounturi=${await accountUrl()}`
    await setup.bind.addRecord('_validation-persist.kept.acme.example', 'TXT', own)
    expect((await look('kept.acme.example')).checks.persistent_record).toEqual({
      status: 'ok',
      message: '_validation-persist.kept.acme.example lets this account validate the name',
      record_name: '_validation-persist.kept.acme.example',
      values: [own],
    })
    await setup.bind.addRecord('_validation-persist.lent.acme.example', 'TXT', `${CA}; accounturi=https://ca.example/2`)
    expect((await look('lent.acme.example')).checks.persistent_record.status).toBe('warning')
  })

  it('fail: a name that no provider serves is told beside the others; what nobody answers is unknown', async () => {
    const { status, body } = await preflight(['www.acme.example', 'www.elsewhere.invalid-zone.io'])
    expect([status, body.status]).toEqual([200, 'error'])
    const [served, unserved] = body.names
    expect(served.status).toBe('ok')
    expect(unserved.checks.dns_provider).toMatchObject({
      status: 'error',
      message: expect.stringContaining('managed_zones'),
      dns_provider_id: null,
      zone: null,
    })
    // Its resolvers are nobody here.
    expect([unserved.checks.cname.status, unserved.checks.caa.status]).toEqual(['unknown', 'unknown'])
  })

  it('ok: by hand, no provider is asked for', async () => {
    const { checks } = await look('hand.acme.example', { solver: 'manual' })
    expect(checks).toMatchObject({ dns_provider: null, cname: { status: 'ok' } })
  })

  it('fail: a CA that is gone is told, and the rest is still looked at', async () => {
    const other = await startAcmeSetup()
    try {
      await other.pebble.stop()
      const body = { account_id: other.accountId, domains: ['www.acme.example'], challenge_type: 'dns-01' }
      const answer = await other.service.api('POST', '/v1/pki/acme/preflight', body)
      expect(answer.status).toBe(200)
      expect(answer.body.directory).toMatchObject({ status: 'error', message: expect.stringContaining('/dir') })
      expect(answer.body.names[0].checks.dns_provider.status).toBe('ok')
    } finally {
      await other.stop()
    }
  })

  it('fail: what is wrong with the request itself is refused, as issue refuses it', async () => {
    expect((await preflight(['*.acme.example'], { challenge_type: 'http-01' })).status).toBe(400)
    expect((await preflight(['acme.example'], { account_id: 'acme_none' })).status).toBe(404)
    expect((await preflight(['acme.example'], { nonsense: true })).status).toBe(400)
  })

  it('fail: a budget that is used up says which limit, and until when', async () => {
    const names = ['spent.acme.example']
    for (let count = 0; count < 5; count += 1) {
      const { body } = await setup.service.api('POST', '/v1/pki/acme/issue', {
        account_id: setup.accountId,
        domains: names,
        challenge_type: 'dns-01',
        solver: 'manual',
      })
      // Open orders hold what they may take.
      expect(body.status).toBe('pending')
    }
    const { body } = await preflight(names)
    expect(body.budget).toMatchObject({
      status: 'error',
      allowed: false,
      limit: 'certificates_per_identifier_set',
      message: expect.stringContaining('spent.acme.example'),
    })
    expect(Date.parse(body.budget.next_available_at)).toBeGreaterThan(Date.now() + 33 * 3_600_000)
    const refused = await setup.service.api('POST', '/v1/pki/acme/issue', {
      account_id: setup.accountId,
      domains: names,
      challenge_type: 'dns-01',
    })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe(String(refused.body.error.retry_after))
  })
})
