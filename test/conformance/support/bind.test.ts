/** The BIND that other tests rely on: updates by key, answers, clean zones. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requireServers } from '../../../tools/install-servers.ts'
import { type Bind, startBind } from '../../support/bind.ts'
import { runProcess } from '../../support/process.ts'

describe('a BIND for a test', () => {
  let bind: Bind
  beforeAll(async () => {
    bind = await startBind({ zones: ['acme.example', 'challenges.example'], tsig: ['hmac-sha256', 'hmac-sha512'] })
  })
  afterAll(() => bind.stop())

  it('ok: values added at one name live side by side and go one by one', async () => {
    const before = await bind.transfer('acme.example')
    await bind.addRecord('_acme-challenge.acme.example', 'TXT', 'first')
    await bind.addRecord('_acme-challenge.acme.example', 'TXT', 'say "second" \\ here')
    expect(await bind.txt('_acme-challenge.acme.example')).toEqual(['first', 'say "second" \\ here'])
    await bind.removeRecord('_acme-challenge.acme.example', 'TXT', 'first')
    expect(await bind.txt('_acme-challenge.acme.example')).toEqual(['say "second" \\ here'])
    expect(await bind.transfer('acme.example')).not.toEqual(before)
    await bind.removeRecord('_acme-challenge.acme.example', 'TXT')
    expect(await bind.transfer('acme.example')).toEqual(before)
  })

  it('ok: a CNAME into another zone is followed', async () => {
    await bind.addCname('_acme-challenge.www.acme.example', 'www.challenges.example')
    await bind.addRecord('www.challenges.example', 'TXT', 'delegated')
    expect(await bind.txt('_acme-challenge.www.acme.example')).toEqual(['delegated'])
  })

  it('ok: a transfer lists the zone and only the zone', async () => {
    expect(await bind.transfer('challenges.example')).toContain('challenges.example. 60 IN NS ns.challenges.example.')
  })

  it('ok: every key that was asked for signs updates', async () => {
    expect(bind.tsigKeys.map(({ algorithm }) => algorithm)).toEqual(['hmac-sha256', 'hmac-sha512'])
    const outcomes = await Promise.all(
      bind.tsigKeys.map((key) => update(bind, `${key.algorithm}:${key.name}:${key.secret}`)),
    )
    expect(outcomes).toEqual([0, 0])
  })

  it('fail: an update without a key is refused', async () => {
    expect(await update(bind, null)).toBe(2)
    expect(bind.log()).toContain('denied')
  })

  it('fail: a transfer of a zone that is not there is an error, not an empty zone', async () => {
    await expect(bind.transfer('other.example')).rejects.toThrow('no transfer of other.example')
  })
})

async function update(bind: Bind, key: string | null): Promise<number | null> {
  const stdin = `server 127.0.0.1 ${bind.port}\nupdate add probe.acme.example. 60 TXT "x"\nsend\n`
  return (await runProcess(requireServers().nsupdate, key === null ? [] : ['-y', key], { stdin })).code
}
