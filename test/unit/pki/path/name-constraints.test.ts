import { describe, expect, it } from 'vitest'
import { type Certificate, parseCertificate } from '../../../../src/pki/certificate.ts'
import { PathBudget } from '../../../../src/pki/path/budget.ts'
import { checkNameConstraints } from '../../../../src/pki/path/name-constraints.ts'
import {
  base,
  directory,
  dns,
  forgeLeaf,
  forgeRoot,
  nameConstraints,
  nameDer,
  newEntity,
  type Subtrees,
} from '../../../conformance/limbo/forge.ts'

async function pathUnder(subtrees: Subtrees, name: string): Promise<Certificate[]> {
  const root = await newEntity('Root')
  const leaf = { ...(await newEntity({})), subjectDer: nameDer({ commonName: 'Leaf' }) }
  const ders = [
    await forgeLeaf(leaf, root, { names: [dns(name)] }),
    await forgeRoot(root, { more: [nameConstraints(subtrees)] }),
  ]
  return ders.map((der) => {
    const certificate = parseCertificate(der)
    if (!certificate.ok) throw certificate.error
    return certificate.value
  })
}

describe('checkNameConstraints', () => {
  it('fail: the name is the evidence', async () => {
    const byName = await pathUnder({ permitted: [base(dns('example.com'))] }, 'www.example.net')
    expect(checkNameConstraints(byName, new PathBudget())).toMatchObject([
      { code: 'name_not_permitted', depth: 0, evidence: { constrainedAtDepth: 1, name: 'www.example.net' } },
    ])
    const bySubject = await pathUnder({ excluded: [directory({ commonName: 'leaf' })] }, 'www.example.net')
    expect(checkNameConstraints(bySubject, new PathBudget())).toMatchObject([
      { code: 'name_excluded', evidence: { name: 'CN=Leaf' } },
    ])
  })

  it('fail: a budget that runs out is a problem by itself', async () => {
    const path = await pathUnder({ permitted: [base(dns('example.com'))] }, 'www.example.com')
    const problems = (nameComparisons: number): string[] =>
      checkNameConstraints(path, new PathBudget({ signatures: 1, buildCalls: 1, nameComparisons })).map(
        ({ code }) => code,
      )
    // One subtree, two names of the leaf, one comparison.
    expect(problems(4)).toEqual([])
    for (let limit = 0; limit < 4; limit += 1) expect(problems(limit)).toEqual(['budget_exceeded'])
  })
})
