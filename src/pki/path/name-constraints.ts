/**
 * Name constraints (RFC 5280 §4.2.1.10, §6.1.3 (b) and (c)): every name of every certificate below a CA that constrains names.
 * Constraints of forms that are not compared refuse the names of that form, and are without effect where there are none.
 */
import { formatAltName, isAltName } from '../alt-name.ts'
import type { Certificate } from '../certificate.ts'
import { isEmptyName, isSelfIssued } from '../certificate.ts'
import { formatName } from '../distinguished-name.ts'
import type { NameConstraints } from '../extensions.ts'
import type { GeneralName } from '../general-name.ts'
import { ATTRIBUTE } from '../oids.ts'
import { exhaustionOf, type PathBudget } from './budget.ts'
import type { PathProblem } from './path-error.ts'
import { type ComparedName, isCompared, readComparedName, readSubtree, relationOf, type Subtree } from './subtree.ts'

/** The names of one form, constrained by one CA. */
interface Constraint {
  readonly permitted: readonly Subtree[]
  readonly excluded: readonly Subtree[]
}

type Verdict = { readonly code: PathProblem['code']; readonly message: string } | null

/** A verdict about a name, with the name. */
type NameVerdict = (NonNullable<Verdict> & { readonly name: GeneralName }) | null

/** From the leaf to the anchor. Where the budget runs out that is a problem too, as something was left unchecked. */
export function checkNameConstraints(path: readonly Certificate[], budget: PathBudget): PathProblem[] {
  const problems = checkUntilExhausted(path, budget)
  const exhaustion = exhaustionOf(budget)
  return exhaustion === null ? problems : [...problems, exhaustion]
}

function checkUntilExhausted(path: readonly Certificate[], budget: PathBudget): PathProblem[] {
  const problems: PathProblem[] = []
  for (const [caDepth, ca] of path.entries()) {
    // Constraints of the leaf itself constrain nothing; that it has them is refused elsewhere.
    if (caDepth === 0 || ca.nameConstraints === null) continue
    const constraints = readConstraints(ca.nameConstraints, budget)
    if (budget.exhausted !== null) return problems
    if (constraints === null) {
      problems.push({
        code: 'name_constraint_malformed',
        message: 'a name constraint is malformed',
        depth: caDepth,
        evidence: {},
      })
      continue
    }
    for (let depth = 0; depth < caDepth; depth += 1) {
      const certificate = path[depth] as Certificate
      // RFC 5280 §6.1.3 (b): self-issued certificates are passed over, "unless it is the final certificate in the path".
      if (depth > 0 && isSelfIssued(certificate)) continue
      const verdict = checkNames(namesOf(certificate), constraints, budget)
      if (verdict !== null) {
        const { code, message, name } = verdict
        problems.push({ code, message, depth, evidence: { constrainedAtDepth: caDepth, ...textOf(name) } })
      }
      if (budget.exhausted !== null) return problems
    }
  }
  return problems
}

/** By form; null for a form that is not compared. */
type Constraints = ReadonlyMap<string, Constraint | null>

/** Null where a subtree is malformed, or the budget runs out. */
function readConstraints({ permitted, excluded }: NameConstraints, budget: PathBudget): Constraints | null {
  const constraints = new Map<string, { permitted: Subtree[]; excluded: Subtree[] } | null>()
  for (const [side, bases] of [['permitted', permitted] as const, ['excluded', excluded] as const]) {
    for (const base of bases) {
      if (!budget.spend('nameComparisons')) return null
      const form = formOf(base)
      if (!isCompared(base.type)) {
        constraints.set(form, null)
        continue
      }
      const subtree = readSubtree(base)
      if (subtree === null) return null
      const known = constraints.get(form) ?? { permitted: [], excluded: [] }
      known[side].push(subtree)
      constraints.set(form, known)
    }
  }
  return constraints
}

/** X.400 addresses and EDI party names are two forms. */
const formOf = (name: GeneralName): string => (name.type === 'unsupported' ? `tag ${name.tag}` : name.type)

/** RFC 5280 §4.2.1.10: the subject, the subject alternative names, and e-mail addresses inside the subject. */
function namesOf(certificate: Certificate): GeneralName[] {
  const { subject, subjectAltNames } = certificate
  const names: GeneralName[] = [...(subjectAltNames ?? [])]
  if (!isEmptyName(subject)) names.push({ type: 'directory', value: subject })
  // The RFC asks for this only without subject alternative names. Some mail programs read the subject always.
  for (const { oid, text } of subject.rdns.flat()) {
    if (oid === ATTRIBUTE.emailAddress) names.push({ type: 'email', value: text ?? '' })
  }
  return names
}

function checkNames(names: readonly GeneralName[], constraints: Constraints, budget: PathBudget): NameVerdict {
  for (const name of names) {
    if (!budget.spend('nameComparisons')) return null
    const constraint = constraints.get(formOf(name))
    if (constraint === undefined) continue
    const verdict = checkAgainst(name, constraint, budget)
    if (verdict !== null) return { ...verdict, name }
    if (budget.exhausted !== null) return null
  }
  return null
}

function checkAgainst(name: GeneralName, constraint: Constraint | null, budget: PathBudget): Verdict {
  if (constraint === null) {
    // RFC 5280 §4.2.1.10: "then the application MUST either process the constraint or reject the certificate".
    return { code: 'name_constraint_unsupported', message: `constraints of ${name.type} names are not processed` }
  }
  const compared = readComparedName(name)
  if (compared === null) return { code: 'name_not_permitted', message: 'a name that is constrained cannot be read' }
  return checkName(compared, constraint, budget)
}

function checkName(name: ComparedName, { permitted, excluded }: Constraint, budget: PathBudget): Verdict {
  for (const subtree of excluded) {
    if (!budget.spend('nameComparisons')) return null
    // A wildcard of which some names are excluded could be used for those.
    if (relationOf(name, subtree) !== 'outside') {
      return { code: 'name_excluded', message: `a ${name.type} name is excluded by a CA above it` }
    }
  }
  if (permitted.length === 0) return null
  for (const subtree of permitted) {
    if (!budget.spend('nameComparisons') || relationOf(name, subtree) === 'inside') return null
  }
  return { code: 'name_not_permitted', message: `a ${name.type} name is outside what a CA above it permits` }
}

/** The name as evidence, where it has a text. */
function textOf(name: GeneralName): { name?: string } {
  if (name.type === 'directory') return { name: formatName(name.value) }
  return isAltName(name) ? { name: formatAltName(name) } : {}
}
