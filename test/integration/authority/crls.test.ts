/** CRLs by the clock: when they come, what stands in them, for how long, and how they are served (RFC 5280 §5). */
import { beforeAll, describe, expect, it } from 'vitest'
import { parseCertificate } from '../../../src/pki/certificate.ts'
import { crlEntries, verifyCrlSignature } from '../../../src/pki/crl.ts'
import { parsePemOf } from '../../../src/pki/pem.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import {
  bodyOf,
  codeOf,
  crlOf,
  eventsOf,
  issued,
  linesOf,
  maintain,
  newCa,
  newRole,
  numberOf,
  parsedCrl,
  revoke,
  revokeCa,
  rowsOf,
  serialsOf,
  watchedApp,
} from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** An app whose clock nobody else turns. */
let app: TestApp
let caId: string
let role: string

beforeAll(async () => {
  app = await testApp()
  caId = await newCa(app)
  role = await newRole(app, caId)
})

const read = (headers: Record<string, string> = {}, id = caId) =>
  app.request('GET', `/v1/pki/ca/${id}/crl`, { token: null, headers })
const regenerate = (each: TestApp, id = caId) => each.request('POST', `/v1/pki/ca/${id}/crl`)
const unhold = (id: string) => app.request('POST', `/v1/pki/certificates/${id}/unhold`)
const maxAgeOf = (headers: Headers): number =>
  Number(/^public, max-age=(\d+)$/.exec(headers.get('cache-control') ?? '')?.[1] ?? Number.NaN)

describe('a CRL', () => {
  it('ok: of a CA that has revoked nothing is a good one without a list (RFC 5280 §5.1.2.6)', async () => {
    const crl = await crlOf(app, caId)
    expect([crl.version, crl.revokedDer, crl.thisUpdateMs, crl.nextUpdateMs]).toEqual([
      2,
      null,
      app.nowMs,
      app.nowMs + DAY,
    ])
    const answer = bodyOf(await app.request('GET', `/v1/pki/ca/${caId}/certificate`, { token: null }))
    const ders = parsePemOf('CERTIFICATE', answer.certificate_pem)
    const certificate = parseCertificate(ders.ok ? (ders.value[0] ?? new Uint8Array()) : new Uint8Array())
    if (!certificate.ok) throw new Error(certificate.error.message)
    expect(await verifyCrlSignature(crl, certificate.value.subjectPublicKeyInfo)).toMatchObject({ ok: true })
    expect(crl.authorityKeyIdentifier?.keyIdentifier).toEqual(certificate.value.subjectKeyIdentifier)
  })

  it('ok: comes anew each hour when nothing was revoked, so that none lapses', async () => {
    const before = numberOf(await crlOf(app, caId))
    const events = await eventsOf('ca.crl_published', `pki/ca/${caId}`)
    app.nowMs += 55 * MINUTE
    await maintain(app)
    expect(numberOf(await crlOf(app, caId))).toBe(before)
    app.nowMs += 5 * MINUTE
    await maintain(app)
    expect(numberOf(await crlOf(app, caId))).toBe(before + 1)
    for (let hours = 1; hours <= 30; hours += 1) {
      app.nowMs += HOUR
      await maintain(app)
      const crl = await crlOf(app, caId)
      expect([numberOf(crl), crl.thisUpdateMs]).toEqual([before + 1 + hours, app.nowMs])
    }
    // That nothing has changed is no news.
    expect(await eventsOf('ca.crl_published', `pki/ca/${caId}`)).toBe(events)
  })

  it('ok: an hourly run that was missed is made up for', async () => {
    const before = numberOf(await crlOf(app, caId))
    app.nowMs += 20 * HOUR
    await maintain(app)
    await maintain(app)
    expect(numberOf(await crlOf(app, caId))).toBe(before + 1)
  })

  it('ok: has a certificate once more after its end, and then no more (RFC 5280 §3.3)', async () => {
    const short = await issued(app, role, { common_name: 'short.example.com', ttl: '30m' })
    const long = await issued(app, role)
    for (const { id } of [short, long]) bodyOf(await revoke(app, id))
    const wanted = [short.serial, long.serial].toSorted()
    expect(serialsOf(await crlOf(app, caId))).toEqual(wanted)
    app.nowMs += HOUR
    await maintain(app)
    expect(serialsOf(await crlOf(app, caId))).toEqual(wanted)
    app.nowMs += HOUR
    await maintain(app)
    expect(serialsOf(await crlOf(app, caId))).toEqual([long.serial])
  })

  it('ok: has a hold, and not what was lifted, under rising numbers', async () => {
    const { id, serial } = await issued(app, role)
    const numbers = [numberOf(await crlOf(app, caId))]
    const lines: (number | undefined)[] = []
    const steps = [
      () => revoke(app, id, 'certificate_hold'),
      () => unhold(id),
      () => revoke(app, id, 'certificate_hold'),
      () => revoke(app, id, 'privilege_withdrawn'),
    ]
    for (const step of steps) {
      bodyOf(await step())
      const crl = await crlOf(app, caId)
      numbers.push(numberOf(crl))
      lines.push(new Map(linesOf(crl)).get(serial))
    }
    expect(lines).toEqual([6, undefined, 6, 9])
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i))
    expect(codeOf(await unhold(id))).toBe('conflict')
  })

  it('ok: keeps the time of the hold when it becomes final', async () => {
    const { id, serial } = await issued(app, role)
    bodyOf(await revoke(app, id, 'certificate_hold'))
    const heldAtMs = app.nowMs
    app.nowMs += MINUTE
    bodyOf(await revoke(app, id, 'superseded'))
    const octets = Uint8Array.from(serial.match(/../g) ?? [], (each) => Number.parseInt(each, 16))
    expect([...crlEntries(await crlOf(app, caId))]).toContainEqual(
      expect.objectContaining({ serialNumber: octets, revokedAtMs: heldAtMs, reasonCode: 4 }),
    )
  })

  it('ok: of a revoked CA is still made, of one that has ended not', async () => {
    const [revoked, short] = [await newCa(app), await newCa(app, { more: { validity_days: 1 } })]
    bodyOf(await revokeCa(app, revoked))
    const before = [numberOf(await crlOf(app, revoked)), numberOf(await crlOf(app, short))]
    app.nowMs += DAY
    await maintain(app)
    const after = [numberOf(await crlOf(app, revoked)), numberOf(await crlOf(app, short))]
    expect(after).toEqual([(before[0] ?? 0) + 1, before[1]])
    const answer = await regenerate(app, short)
    expect([answer.status, codeOf(answer)]).toEqual([409, 'conflict'])
    expect(answer.json.error.message).toBe('The CA has ended: CRLs of it are not made any more')
    const due = await rowsOf('SELECT crl_due_at_ms AS due FROM certificate_authorities WHERE id = ?', short)
    expect(due).toEqual([{ due: null }])
    // A CA that is issued anew needs one again.
    bodyOf(await app.request('POST', `/v1/pki/ca/${short}/reissue`, { body: {} }))
    await maintain(app)
    expect(numberOf(await crlOf(app, short))).toBe((before[1] ?? 0) + 1)
  })

  it('ok: of a CA that is issued anew while its end is noticed stays due', async () => {
    const watched = await watchedApp()
    watched.app.nowMs = app.nowMs
    const short = await newCa(app, { more: { validity_days: 1 } })
    for (const each of [app, watched.app]) each.nowMs += DAY
    watched.commits.once(
      ({ statements }) => statements.some(({ sql, params }) => sql.includes('crl_due_at_ms') && params.includes(short)),
      async () => bodyOf(await app.request('POST', `/v1/pki/ca/${short}/reissue`, { body: {} })),
    )
    await maintain(watched.app)
    const due = await rowsOf('SELECT crl_due_at_ms AS due FROM certificate_authorities WHERE id = ?', short)
    expect(due).toEqual([{ due: expect.any(Number) }])
  })
})

describe('serving a CRL', () => {
  it('ok: as DER, or as PEM for who accepts that, each with its ETag', async () => {
    const [der, pem, any] = await Promise.all([
      read(),
      read({ accept: 'application/x-pem-file' }),
      read({ accept: '*/*' }),
    ])
    expect([der, pem, any].map(({ headers }) => headers.get('content-type'))).toEqual([
      'application/pkix-crl',
      'application/x-pem-file',
      'application/pkix-crl',
    ])
    const inPem = parsePemOf('X509 CRL', pem.text)
    expect(inPem).toEqual({ ok: true, value: [der.bytes] })
    const etags = [der, pem, any].map(({ headers }) => headers.get('etag'))
    expect(new Set(etags).size).toBe(2)
    expect(der.headers.get('last-modified')).toBe(new Date(parsedCrl(der.bytes).thisUpdateMs).toUTCString())
  })

  it('ok: 304 for the ETag that it has, in any list of them, and 200 after it has changed', async () => {
    const { headers } = await read()
    const etag = headers.get('etag') ?? ''
    const known = [etag, `W/${etag}`, `"other", ${etag}`, '*']
    const answers = await Promise.all(known.map((value) => read({ 'if-none-match': value })))
    expect(answers.map(({ status, bytes }) => [status, bytes.length])).toEqual(known.map(() => [304, 0]))
    expect(answers.map((answer) => answer.headers.get('etag'))).toEqual(known.map(() => etag))
    const unknown = await Promise.all(
      ['"other"', etag.replaceAll('"', '')].map((value) => read({ 'if-none-match': value })),
    )
    expect(unknown.map(({ status }) => status)).toEqual([200, 200])
    const asPem = await read({ 'if-none-match': etag, accept: 'application/x-pem-file' })
    expect(asPem.status).toBe(200)
    bodyOf(await regenerate(app))
    expect((await read({ 'if-none-match': etag })).status).toBe(200)
  })

  it('ok: 304 for If-Modified-Since where there is no ETag, and HEAD answers as GET does (RFC 9110 §13.1.3)', async () => {
    // The first list of its second.
    app.nowMs += 1_000
    bodyOf(await regenerate(app))
    const { headers } = await read()
    const [etag, modified] = [headers.get('etag') ?? '', headers.get('last-modified') ?? '']
    const before = new Date(Date.parse(modified) - 1_000).toUTCString()
    const answers = await Promise.all([
      read({ 'if-modified-since': modified }),
      read({ 'if-modified-since': before }),
      read({ 'if-modified-since': modified, 'if-none-match': '"other"' }),
      read({ 'if-modified-since': before, 'if-none-match': etag }),
      read({ 'if-modified-since': 'yesterday' }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([304, 200, 200, 304, 200])
    const head = (more: Record<string, string> = {}) =>
      app.request('HEAD', `/v1/pki/ca/${caId}/crl`, { token: null, headers: more })
    const [whole, known] = [await head(), await head({ 'if-none-match': etag })]
    expect([whole.status, whole.bytes.length, known.status]).toEqual([200, 0, 304])
    for (const name of ['etag', 'last-modified', 'content-type', 'cache-control', 'vary']) {
      expect(whole.headers.get(name)).toBe(headers.get(name))
    }
    expect(known.headers.get('etag')).toBe(etag)
  })

  it('ok: 200 for If-Modified-Since where a newer list was made within the same second (RFC 9110 §8.8.2.2)', async () => {
    const parts = await newCa(app, { more: { crl_partitions: 1 } })
    for (const path of [`/v1/pki/ca/${parts}/crl`, `/v1/pki/ca/${parts}/crl/1`]) {
      const fetchCrl = (headers: Record<string, string> = {}) => app.request('GET', path, { token: null, headers })
      const ask = async (known: TestAnswer) =>
        (await fetchCrl({ 'if-modified-since': known.headers.get('last-modified') ?? '' })).status
      app.nowMs += 60_000
      bodyOf(await app.request('POST', `/v1/pki/ca/${parts}/crl`))
      const first = await fetchCrl()
      expect(await ask(first)).toBe(304)
      bodyOf(await app.request('POST', `/v1/pki/ca/${parts}/crl`))
      const second = await fetchCrl()
      expect([await ask(first), second.headers.get('last-modified')]).toEqual([200, first.headers.get('last-modified')])
      app.nowMs += 60_000
      bodyOf(await app.request('POST', `/v1/pki/ca/${parts}/crl`))
      expect([await ask(second), await ask(await fetchCrl())]).toEqual([200, 304])
    }
  })

  it('ok: in the form that is liked best, whatever the capitals (RFC 9110 §12.5.1)', async () => {
    const accepted = ['application/x-pem-file;q=0.1, */*', 'Application/X-PEM-File', 'application/*', 'text/html']
    const answers = await Promise.all(accepted.map((accept) => read({ accept })))
    const [DER, PEM] = ['application/pkix-crl', 'application/x-pem-file']
    expect(answers.map(({ headers }) => headers.get('content-type'))).toEqual([DER, PEM, DER, DER])
  })

  it("ok: a CA's certificate and those above it are shown without opening its key", async () => {
    const root = await newCa(app)
    const id = await newCa(app, { parent: root })
    const other = await testApp()
    let opened = 0
    const open = () => {
      opened += 1
      return Promise.reject(new Error('the key ring is locked'))
    }
    Object.assign(other.deps, { store: { ...other.deps.store, ring: { ...other.deps.store.ring, open } } })
    const certificate = (accept: string) =>
      other.request('GET', `/v1/pki/ca/${id}/certificate`, { token: null, headers: { accept } })
    const answers = await Promise.all(['*/*', 'application/pkix-cert', 'application/x-pem-file;q=0.9'].map(certificate))
    expect(answers.map(({ status, headers }) => [status, headers.get('content-type')])).toEqual([
      [200, 'application/json'],
      [200, 'application/pkix-cert'],
      [200, 'application/x-pem-file'],
    ])
    const above = bodyOf(await app.request('GET', `/v1/pki/ca/${root}/certificate`, { token: null }))
    expect(bodyOf(answers[0] as TestAnswer).chain_pem).toBe(above.certificate_pem)
    await read({}, id)
    expect(opened).toBe(0)
  })

  it('ok: no cache keeps it beyond its nextUpdate, nor for long when it is new', async () => {
    const alone = await newCa(app)
    const start = app.nowMs
    const offsets = [0, 1, 59, 60, 61, 120, 24 * 60 - 1, 24 * 60, 24 * 60 + 1].map((minutes) => minutes * MINUTE)
    const ages: number[] = []
    for (const offset of [...offsets, DAY - 5_000, DAY - 1_500]) {
      app.nowMs = start + offset
      const answer = await read({}, alone)
      const { nextUpdateMs } = parsedCrl(answer.bytes)
      const maxAge = maxAgeOf(answer.headers)
      ages.push(maxAge)
      expect(app.nowMs + maxAge * 1_000).toBeLessThanOrEqual(Math.max(nextUpdateMs ?? 0, app.nowMs))
    }
    expect(ages).toEqual([300, 300, 60, 10, 10, 10, 10, 0, 0, 5, 1])
    app.nowMs = start + 25 * HOUR
  })

  it('fail: a part that there is not, a CA that there is not', async () => {
    const parts = await newCa(app, { more: { crl_partitions: 2 } })
    const paths = ['1', '2', '3', '0', '-1', '1.5', 'x', '1e0x', '01', '1.0', '0x1', '1e0', '+1', '%201'].map(
      (part) => `/v1/pki/ca/${parts}/crl/${part}`,
    )
    const answers = await Promise.all(
      [...paths, `/v1/pki/ca/${caId}/crl/1`, '/v1/pki/ca/ca_none/crl'].map((path) =>
        app.request('GET', path, { token: null }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, ...Array.from({ length: 14 }, () => 404)])
  })
})

describe('a CA with parts', () => {
  /** Which lists an app stores. */
  async function spied(): Promise<{ readonly spy: TestApp; readonly made: number[] }> {
    const spy = await testApp()
    spy.nowMs = app.nowMs
    const made: number[] = []
    const { crls } = spy.deps
    const put: typeof crls.put = (place, der) => {
      made.push(place.partition)
      return crls.put(place, der)
    }
    Object.assign(spy.deps, { crls: { ...crls, put } })
    return { spy, made }
  }
  const PARTS = 8
  const ALL = Array.from({ length: PARTS + 1 }, (_, partition) => partition)
  const partsOf = (each: TestApp, id: string) =>
    Promise.all(ALL.slice(1).map((partition) => crlOf(each, id, `/${partition}`)))

  it('ok: makes the list for all and the part that has changed, and serves the others as they are', async () => {
    const { spy, made } = await spied()
    const id = await newCa(spy, { more: { crl_partitions: PARTS } })
    expect(made).toEqual(ALL)
    const leaves = [await issued(spy, await newRole(spy, id)), await issued(spy, await newRole(spy, id))]
    const lines = new Map<number, string[]>()
    for (const { id: certificate, serial } of leaves) {
      const part = (Number.parseInt(serial.slice(-8), 16) % PARTS) + 1
      lines.set(part, [...(lines.get(part) ?? []), serial].toSorted())
      made.length = 0
      bodyOf(await revoke(spy, certificate))
      expect(made).toEqual([0, part])
      const whole = await crlOf(spy, id)
      expect(numberOf(await crlOf(spy, id, `/${part}`))).toBe(numberOf(whole))
      expect(serialsOf(whole)).toEqual([...lines.values()].flat().toSorted())
      const parts = await partsOf(spy, id)
      expect(parts.map(serialsOf)).toEqual(parts.map((_, index) => lines.get(index + 1) ?? []))
    }
    // A hold that is lifted changes its part too.
    const held = await issued(spy, await newRole(spy, id))
    bodyOf(await revoke(spy, held.id, 'certificate_hold'))
    made.length = 0
    bodyOf(await spy.request('POST', `/v1/pki/certificates/${held.id}/unhold`))
    expect(made).toEqual([0, (Number.parseInt(held.serial.slice(-8), 16) % PARTS) + 1])
    const parts = await partsOf(spy, id)
    expect(parts.map(serialsOf)).toEqual(parts.map((_, index) => lines.get(index + 1) ?? []))
  })

  it('ok: each part comes anew within the hour, and a certificate stands in its own part once more after its end', async () => {
    const { spy } = await spied()
    const id = await newCa(spy, { more: { crl_partitions: PARTS } })
    const names = { common_name: 'short.example.com', ttl: '90m' }
    const { id: certificate, serial } = await issued(spy, await newRole(spy, id), names)
    const endMs = spy.nowMs + 90 * MINUTE
    const part = (Number.parseInt(serial.slice(-8), 16) % PARTS) + 1
    spy.nowMs += 30 * MINUTE
    bodyOf(await revoke(spy, certificate))
    const seen = new Set<string>()
    for (let minutes = 0; minutes < 4 * 60; minutes += 10) {
      spy.nowMs += 10 * MINUTE
      await maintain(spy)
      for (const crl of await partsOf(spy, id)) {
        expect(spy.nowMs - crl.thisUpdateMs).toBeLessThanOrEqual(HOUR)
        for (const each of serialsOf(crl)) seen.add(`${each} ${crl.thisUpdateMs > endMs ? 'after' : 'before'}`)
      }
    }
    expect([...seen]).toEqual([`${serial} before`, `${serial} after`])
    expect(serialsOf(await crlOf(spy, id, `/${part}`))).toEqual([])
    expect(serialsOf(await crlOf(spy, id))).toEqual([])
  })

  it('ok: a list that left a part as it was is made again where another one has changed that part meanwhile', async () => {
    const [first, second] = [await watchedApp(), await watchedApp()]
    first.app.nowMs = app.nowMs
    second.app.nowMs = app.nowMs
    const id = await newCa(app, { more: { crl_partitions: PARTS } })
    const { id: certificate, serial } = await issued(app, await newRole(app, id))
    const [reached, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const isAnnouncement = ({ entries }: Transaction) => entries.some(({ event }) => event === 'ca.crl_published')
    const lifting: Promise<TestAnswer>[] = []
    // The first list has the hold in it; the second one, with the higher number, is read when it is lifted, and announced last.
    first.commits.once(isAnnouncement, () => {
      lifting.push(second.app.request('POST', `/v1/pki/certificates/${certificate}/unhold`))
      return reached.promise
    })
    second.commits.once(isAnnouncement, () => {
      reached.resolve()
      return done.promise
    })
    bodyOf(await revoke(first.app, certificate, 'certificate_hold'))
    const part = (Number.parseInt(serial.slice(-8), 16) % PARTS) + 1
    expect(serialsOf(await crlOf(app, id, `/${part}`))).toEqual([serial])
    done.resolve()
    expect((await Promise.all(lifting)).map(({ status }) => status)).toEqual([200])
    expect((await partsOf(app, id)).map(serialsOf)).toEqual(ALL.slice(1).map(() => []))
    expect(serialsOf(await crlOf(app, id))).toEqual([])
  })
})

describe('an object store that fails', () => {
  it('ok: the revocation stands, and the CRL follows with the next run of the cron', async () => {
    const broken = await testApp()
    broken.nowMs = app.nowMs
    const { crls } = broken.deps
    const [id, other] = [await newCa(app), await newCa(app)]
    const { id: certificate, serial } = await issued(app, await newRole(app, id))
    const before = numberOf(await crlOf(app, id))
    Object.assign(broken.deps, { crls: { ...crls, put: () => Promise.reject(new Error('the store is gone')) } })
    expect(bodyOf(await revoke(broken, certificate))).toMatchObject({ is_revoked: true, revoked_count: 1 })
    expect((await regenerate(broken, id)).status).toBe(500)
    expect([numberOf(await crlOf(app, id)), serialsOf(await crlOf(app, id))]).toEqual([before, []])
    // The run whose puts fail for one CA goes on to the next one.
    const put: typeof crls.put = (place, der) =>
      place.caId === id ? Promise.reject(new Error('the store is gone')) : crls.put(place, der)
    Object.assign(broken.deps, { crls: { ...crls, put } })
    bodyOf(await regenerate(app, other))
    const otherNumber = numberOf(await crlOf(app, other))
    broken.nowMs += HOUR
    await maintain(broken)
    expect(numberOf(await crlOf(app, other))).toBe(otherNumber + 1)
    expect(broken.logLines.filter((line) => line.includes('crl_failed') && line.includes(id))).toHaveLength(1)
    await maintain(app)
    const crl = await crlOf(app, id)
    expect(serialsOf(crl)).toEqual([serial])
    expect(numberOf(crl)).toBeGreaterThan(before + 1)
  })

  it('ok: what ended before it was revoked is not taken out of a list that it was never in', async () => {
    const watched = await watchedApp()
    const broken = await testApp()
    const id = await newCa(app)
    const ended = await issued(app, await newRole(app, id), { common_name: 'short.example.com', ttl: '1m' })
    app.nowMs += HOUR
    watched.app.nowMs = app.nowMs
    broken.nowMs = app.nowMs
    const failing = { ...broken.deps.crls, put: () => Promise.reject(new Error('the store is gone')) }
    Object.assign(broken.deps, { crls: failing })
    // Between reading the lines and announcing the list, a line comes that is over already, and its own list fails.
    watched.commits.once(
      ({ entries }) => entries.some(({ event }) => event === 'ca.crl_published'),
      async () => bodyOf(await revoke(broken, ended.id)),
    )
    bodyOf(await regenerate(watched.app, id))
    expect(serialsOf(await crlOf(app, id))).toEqual([])
    await maintain(app)
    expect(serialsOf(await crlOf(app, id))).toEqual([ended.serial])
  })
})
