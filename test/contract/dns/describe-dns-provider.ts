/** What every DNS provider has to do, whichever it is (src/dns/dns-provider.ts). Each provider's test runs it. */
import { describe, expect, it } from 'vitest'
import type { DnsProvider, TxtRecord } from '../../../src/dns/dns-provider.ts'

/** The zones that the service under test has to serve, one inside the other. */
export const CONTRACT_ZONES = ['example.test', 'deep.example.test'] as const

/** A provider, and a look behind it that does not go through it. */
export interface ProviderUnderTest {
  readonly provider: DnsProvider
  /** The same with credentials that the service refuses. */
  readonly refused: DnsProvider
  /** The same with a service that takes the request and never answers. */
  readonly stalled: DnsProvider
  /** Texts that no message may hold: every credential above. */
  readonly secrets: readonly string[]
  /** The TXT values now at `name`, sorted. */
  values(name: string): Promise<readonly string[]>
  /** Puts a value there as another user of the zone would. */
  addForeign(name: string, value: string): Promise<void>
  /** Answers the next request with the service's rate limit. */
  limitRate?(retryAfterSeconds: number): void
}

export interface Capabilities {
  /** Every zone that `listZones` has to return; null where the type cannot list zones. */
  readonly listed: readonly string[] | null
  readonly hasRateLimit: boolean
}

const NAME = '_acme-challenge.www.example.test'
const A: TxtRecord = { name: NAME, value: 'gfj9Xq-Rg85nM_aaa', ttlSeconds: 60 }
const B: TxtRecord = { ...A, value: 'gfj9Xq-Rg85nM_bbb' }
const C: TxtRecord = { ...A, name: '_acme-challenge.example.test' }
const ZONE = 'example.test'
const DONE = { ok: true, value: undefined }

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/** `make` is called for each case and gives a service whose zones hold no TXT value at the names above. */
export function describeDnsProvider(
  code: string,
  make: () => Promise<ProviderUnderTest>,
  capabilities: Capabilities,
): void {
  describe(`DNS provider contract: ${code}`, () => {
    it('ok: present twice leaves one value', async () => {
      const { provider, values } = await make()
      expect(await provider.present(ZONE, [A], soon())).toEqual(DONE)
      expect(await provider.present(ZONE, [A], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([A.value])
    })

    it('ok: two values side by side, for a name and its wildcard, in one call or in two', async () => {
      const { provider, values } = await make()
      expect(await provider.present(ZONE, [A, B, C], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([A.value, B.value])
      expect(await values(C.name)).toEqual([C.value])
      expect(await provider.cleanUp(ZONE, [A, B], soon())).toEqual(DONE)
      expect(await provider.present(ZONE, [B], soon())).toEqual(DONE)
      expect(await provider.present(ZONE, [A], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([A.value, B.value])
    })

    it('ok: present adds what is missing where some of it is there', async () => {
      const { provider, values } = await make()
      expect(await provider.present(ZONE, [A], soon())).toEqual(DONE)
      expect(await provider.present(ZONE, [A, B], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([A.value, B.value])
    })

    it('ok: clean-up removes its own value only', async () => {
      const { provider, values } = await make()
      expect(await provider.present(ZONE, [A, B], soon())).toEqual(DONE)
      expect(await provider.cleanUp(ZONE, [A], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([B.value])
    })

    it('ok: clean-up needs no memory, works twice, and where nothing ever was', async () => {
      const { provider, values } = await make()
      expect(await provider.cleanUp(ZONE, [B], soon())).toEqual(DONE)
      expect(await provider.present(ZONE, [A, B], soon())).toEqual(DONE)
      expect(await provider.cleanUp(ZONE, [A, B], soon())).toEqual(DONE)
      expect(await provider.cleanUp(ZONE, [A, B], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([])
    })

    it("ok: other people's values at the same name survive", async () => {
      const { provider, values, addForeign } = await make()
      await addForeign(NAME, 'somebody-else')
      expect(await provider.present(ZONE, [A], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([A.value, 'somebody-else'])
      expect(await provider.cleanUp(ZONE, [A], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual(['somebody-else'])
    })

    it('ok: no records, no change', async () => {
      const { provider, values } = await make()
      expect(await provider.present(ZONE, [], soon())).toEqual(DONE)
      expect(await provider.cleanUp(ZONE, [], soon())).toEqual(DONE)
      expect(await values(NAME)).toEqual([])
    })

    it('ok: the longest zone suffix wins', async () => {
      const { provider } = await make()
      const find = (name: string) => provider.findZone(name, soon())
      expect(await find('_acme-challenge.www.deep.example.test')).toEqual({ ok: true, value: 'deep.example.test' })
      expect(await find('_acme-challenge.deep.example.test')).toEqual({ ok: true, value: 'deep.example.test' })
      expect(await find('_acme-challenge.undeep.example.test')).toEqual({ ok: true, value: 'example.test' })
      expect(await find('example.test')).toEqual({ ok: true, value: 'example.test' })
    })

    it('ok: a value lands in the inner zone', async () => {
      const { provider, values } = await make()
      const record = { ...A, name: '_acme-challenge.deep.example.test' }
      expect(await provider.present('deep.example.test', [record], soon())).toEqual(DONE)
      expect(await values(record.name)).toEqual([A.value])
      expect(await provider.cleanUp('deep.example.test', [record], soon())).toEqual(DONE)
      expect(await values(record.name)).toEqual([])
    })

    it('fail: a name in no zone is no_zone', async () => {
      const { provider } = await make()
      const outside = await provider.findZone('_acme-challenge.anexample.invalid', soon())
      const message = expect.stringMatching(new RegExp(`^${code}: .*_acme-challenge\\.anexample\\.invalid`))
      expect(outside).toEqual({ ok: false, error: { kind: 'no_zone', message, retryAfterSeconds: null } })
      expect(await provider.present('anexample.invalid', [A], soon())).toMatchObject({ error: { kind: 'no_zone' } })
    })

    it('fail: refused credentials are reported as such, and no message holds a credential', async () => {
      const { refused, secrets, values } = await make()
      const results = [
        await refused.present(ZONE, [A], soon()),
        await refused.cleanUp(ZONE, [A], soon()),
        await refused.findZone(NAME, soon()),
        await (capabilities.listed === null ? refused.checkZone?.(ZONE, soon()) : refused.listZones(soon())),
      ]
      for (const result of results) {
        const message = expect.stringMatching(new RegExp(`^${code}: `))
        expect(result).toEqual({ ok: false, error: { kind: 'unauthorized', message, retryAfterSeconds: null } })
      }
      expect(secrets.filter((secret) => JSON.stringify(results).includes(secret))).toEqual([])
      expect(secrets.length).toBeGreaterThan(0)
      expect(await values(NAME)).toEqual([])
    })

    it('fail: a signal that is aborted already stops everything', async () => {
      const { provider, values } = await make()
      const aborted = AbortSignal.abort()
      expect(await provider.present(ZONE, [A], aborted)).toMatchObject({ ok: false, error: { kind: 'unavailable' } })
      expect(await provider.findZone(NAME, aborted)).toMatchObject({ ok: false, error: { kind: 'unavailable' } })
      expect(await values(NAME)).toEqual([])
    })

    it('fail: a signal that aborts while the service is silent ends the call', async () => {
      const { stalled } = await make()
      for (const call of [
        (signal: AbortSignal) => stalled.present(ZONE, [A], signal),
        (signal: AbortSignal) => stalled.cleanUp(ZONE, [A], signal),
        (signal: AbortSignal) => stalled.findZone(NAME, signal),
      ]) {
        expect(await call(AbortSignal.timeout(50))).toMatchObject({ ok: false, error: { kind: 'unavailable' } })
      }
    })

    if (capabilities.listed === null) {
      it('ok: cannot list zones, but tells of one whether it may be changed', async () => {
        const { provider } = await make()
        expect(await provider.listZones(soon())).toEqual({ ok: true, value: [] })
        expect(await provider.checkZone?.(ZONE, soon())).toEqual(DONE)
        expect(await provider.checkZone?.('anexample.invalid', soon())).toMatchObject({ error: { kind: 'no_zone' } })
      })
    } else {
      it('ok: lists every zone, from every page', async () => {
        const { provider } = await make()
        const zones = await provider.listZones(soon())
        expect(zones.ok ? [...zones.value].sort() : zones).toEqual([...(capabilities.listed ?? [])].sort())
      })
    }

    if (capabilities.hasRateLimit) {
      it('fail: the rate limit is reported with its Retry-After', async () => {
        const { provider, limitRate } = await make()
        limitRate?.(17)
        expect(await provider.present(ZONE, [A], soon())).toEqual({
          ok: false,
          error: { kind: 'rate_limited', message: expect.stringMatching(`^${code}: `), retryAfterSeconds: 17 },
        })
        expect(await provider.present(ZONE, [A], soon())).toEqual(DONE)
      })
    }
  })
}
