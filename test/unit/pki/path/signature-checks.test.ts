import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Certificate, parseCertificate } from '../../../../src/pki/certificate.ts'
import { PathBudget } from '../../../../src/pki/path/budget.ts'
import { SignatureChecks } from '../../../../src/pki/path/signature-checks.ts'
import { forgeLeaf, forgeRoot, newEntity } from '../../../conformance/limbo/forge.ts'

afterEach(() => vi.restoreAllMocks())

async function pair(): Promise<{ root: Certificate; leaf: Certificate }> {
  const root = await newEntity('Root')
  const [rootCert, leaf] = [
    parseCertificate(await forgeRoot(root)),
    parseCertificate(await forgeLeaf(await newEntity({}), root)),
  ]
  if (!rootCert.ok || !leaf.ok) throw new TypeError('malformed')
  return { root: rootCert.value, leaf: leaf.value }
}
const budgetOf = (signatures: number): PathBudget => new PathBudget({ signatures, buildCalls: 1, nameComparisons: 1 })

describe('SignatureChecks', () => {
  it('ok: each pair is verified once and paid for once', async () => {
    const verify = vi.spyOn(crypto.subtle, 'verify')
    const { root, leaf } = await pair()
    const checks = new SignatureChecks(budgetOf(2))
    for (let i = 0; i < 3; i += 1) expect(await checks.check(leaf, root)).toEqual({ ok: true, value: undefined })
    expect(await checks.check(leaf, leaf)).toMatchObject({ ok: false, error: { reason: 'bad_signature' } })
    expect(verify).toHaveBeenCalledTimes(2)
  })

  it('fail: nothing is verified without budget, and what is known stays known', async () => {
    const verify = vi.spyOn(crypto.subtle, 'verify')
    const { root, leaf } = await pair()
    const checks = new SignatureChecks(budgetOf(1))
    await checks.check(leaf, root)
    expect(await checks.check(root, root)).toBeNull()
    expect(await checks.check(leaf, root)).toMatchObject({ ok: true })
    expect(verify).toHaveBeenCalledTimes(1)
  })

  it('fail: a platform that throws has not verified anything', async () => {
    vi.spyOn(crypto.subtle, 'verify').mockRejectedValue(new DOMException('no such salt', 'OperationError'))
    const { root, leaf } = await pair()
    expect(await new SignatureChecks(budgetOf(1)).check(leaf, root)).toMatchObject({
      ok: false,
      error: { reason: 'bad_signature' },
    })
  })
})
