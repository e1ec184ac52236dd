/** A commit whose answer is lost between the ledger's object and the Worker. */
import { beforeAll, describe, expect, it } from 'vitest'
import { sureCommit } from '../../../src/store/sure-commit.ts'
import type { Commit, Transaction } from '../../../src/store/transaction.ts'
import { eventsOf } from '../support/pki-world.ts'
import { addTenant, type TestApp, testApp } from '../support/worker-app.ts'

const TENANT = 'ten_surecommit0000000000000000'

const transaction = (resource: string): Transaction => ({
  tenantId: TENANT,
  statements: [],
  entries: [{ event: 'test.sure', actor: 'system', resource, detail: {}, requestId: null }],
})

async function sure(send: (app: TestApp) => Commit): Promise<{ commit: Commit; waited: number[] }> {
  const app = await testApp()
  const waited: number[] = []
  const commit = sureCommit(
    app.store.db,
    () => app.nowMs,
    send(app),
    async (ms) => {
      waited.push(ms)
    },
  )
  return { commit, waited }
}

beforeAll(() => addTenant(TENANT))

const RESET = 'Durable Object reset because its code was updated.'

describe('a commit whose answer is lost', () => {
  it('ok: it was written: it is committed, and not sent again', async () => {
    let sent = 0
    const { commit } = await sure((app) => async (each) => {
      sent += 1
      await app.store.commit(each)
      throw new Error(RESET)
    })
    expect(await commit(transaction('written'))).toEqual({ kind: 'committed' })
    expect([sent, await eventsOf('test.sure', 'written')]).toEqual([1, 1])
  })

  it('ok: it arrives while it is looked for', async () => {
    const late: (() => Promise<unknown>)[] = []
    const app = await testApp()
    const send: Commit = async (each) => {
      late.push(() => app.store.commit(each))
      throw new Error(RESET)
    }
    const commit = sureCommit(
      app.store.db,
      () => app.nowMs,
      send,
      async (ms) => {
        if (ms > 0) await late.pop()?.()
      },
    )
    expect(await commit(transaction('late'))).toEqual({ kind: 'committed' })
  })

  it('fail: it was not written: it fails, and is not sent again', async () => {
    let sent = 0
    const { commit, waited } = await sure(() => async () => {
      sent += 1
      throw new Error(RESET)
    })
    await expect(commit(transaction('lost'))).rejects.toThrow(RESET)
    expect([sent, waited, await eventsOf('test.sure', 'lost')]).toEqual([1, [0, 250, 1_000], 0])
  })

  it('ok: a verdict passes as it is', async () => {
    const { commit, waited } = await sure(() => async () => ({ kind: 'conflict' }))
    expect([await commit(transaction('refused')), waited]).toEqual([{ kind: 'conflict' }, []])
  })
})
