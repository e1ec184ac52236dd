/**
 * Builds certification paths and checks them (RFC 5280 §6, RFC 4158): depth first from the leaf to a trust anchor, within a
 * budget, until one path stands. Otherwise tells about the path that came farthest. Takes certificates and lists as bytes and
 * fetches none: no issuers (AIA), no CRLs, no OCSP. Names of issuers and subjects are compared byte for byte.
 */
import { type Bytes, equalBytes, toHex } from '../../core/bytes.ts'
import type { Result } from '../../core/result.ts'
import { type Certificate, isSelfIssued, parseCertificate } from '../certificate.ts'
import type { Crl } from '../crl.ts'
import { formatName } from '../distinguished-name.ts'
import { formatSerial } from '../serial.ts'
import type { SignatureError } from '../signature.ts'
import { type BudgetLimits, exhaustionOf, PathBudget } from './budget.ts'
import { checkCertificate, type Place } from './check-certificate.ts'
import { checkPathLengths, checkPurpose, checkTimes, type Purpose } from './check-path.ts'
import { CrlIndex } from './crl-index.ts'
import { DEFAULT_MAX_DEPTH, MAX_INTERMEDIATES } from './limits.ts'
import { checkNameConstraints } from './name-constraints.ts'
import { isWarning, type PathProblem } from './path-error.ts'
import { type Attempt, isBetter, type PathResult, resultOf } from './path-result.ts'
import { checkRevocation } from './revocation.ts'
import { SignatureChecks } from './signature-checks.ts'
import { checkSubjectName, type ReferenceName } from './subject-name.ts'

export interface TrustAnchor {
  /** The caller's name for it. */
  readonly id: string
  readonly der: Bytes
}

export interface PathInput {
  readonly leafDer: Bytes
  /** In any order; those that do not belong are passed over. */
  readonly intermediates: readonly Bytes[]
  readonly anchors: readonly TrustAnchor[]
  readonly atMs: number
  readonly purpose: Purpose
  readonly name?: ReferenceName
  readonly crls?: readonly Bytes[]
  /** True: every certificate but the anchor must be known not to be revoked. */
  readonly checkRevocation: boolean
  /** Intermediates between leaf and anchor; self-issued ones are not counted. */
  readonly maxDepth?: number
  readonly budget?: BudgetLimits
}

/** Never throws on what the bytes hold. */
export async function buildAndCheckPath(input: PathInput): Promise<PathResult> {
  const leaf = parseCertificate(input.leafDer)
  if (!leaf.ok) {
    const message = `the certificate is malformed: ${leaf.error.message}`
    const error: PathProblem = { code: 'certificate_malformed', message, depth: 0, evidence: {} }
    return resultOf({ path: [], anchorId: null, problems: [error], notRevoked: null }, [])
  }
  const search = new PathSearch(input, leaf.value)
  const attempt = await search.run()
  return resultOf(attempt, search.warnings)
}

interface Anchor {
  readonly id: string
  readonly certificate: Certificate
}

class PathSearch {
  /** About what was passed over. */
  readonly warnings: PathProblem[] = []
  readonly #input: PathInput
  readonly #maxDepth: number
  readonly #budget: PathBudget
  readonly #signatures: SignatureChecks
  readonly #anchors: readonly Anchor[]
  readonly #intermediates: readonly Certificate[]
  readonly #leaf: Certificate
  readonly #crls: CrlIndex
  readonly #mismatch: PathProblem | null
  /** Of certificates by themselves: none stands at two kinds of places. */
  readonly #ownProblems = new Map<Certificate, readonly PathProblem[]>()
  #best: Attempt | null = null

  constructor(input: PathInput, leaf: Certificate) {
    this.#input = input
    this.#leaf = leaf
    this.#mismatch = input.name === undefined ? null : checkSubjectName(leaf, input.name)
    this.#maxDepth = input.maxDepth ?? DEFAULT_MAX_DEPTH
    this.#budget = new PathBudget(input.budget)
    this.#signatures = new SignatureChecks(this.#budget)
    this.#anchors = this.#readAnchors()
    this.#intermediates = this.#readIntermediates()
    const serialNumbers = [leaf, ...this.#intermediates].map(({ serialNumber }) => serialNumber)
    this.#crls = new CrlIndex(input.checkRevocation ? (input.crls ?? []) : [], serialNumbers)
    for (const index of this.#crls.malformed) this.#warn('crl_ignored', 'a CRL is malformed', { index })
  }

  async run(): Promise<Attempt> {
    const leaf = this.#leaf
    const trusted = this.#anchors.find(({ certificate }) => equalBytes(certificate.der, leaf.der))
    const found = trusted === undefined ? await this.#extend([leaf], 0) : await this.#finish([leaf], trusted.id)
    const attempt = found ?? this.#best ?? this.#dead([leaf], [])
    const exhaustion = exhaustionOf(this.#budget)
    if (found !== null || exhaustion === null) return attempt
    const others = attempt.problems.filter(({ code }) => code !== exhaustion.code)
    return { ...attempt, problems: [...others, exhaustion] }
  }

  /** A path that stands and starts like this, or null. `depth` counts the intermediates that are not self-issued. */
  async #extend(path: readonly Certificate[], depth: number): Promise<Attempt | null> {
    if (!this.#budget.spend('buildCalls')) return null
    const child = path.at(-1) as Certificate
    const anchors = this.#anchors.filter(({ certificate }) => isIssuerByName(certificate, child))
    for (const { id, certificate } of inOrder(anchors, child, (anchor) => anchor.certificate)) {
      if (!(await this.#isSignedBy(path, certificate))) continue
      const found = await this.#finish([...path, certificate], id)
      if (found !== null) return found
    }
    const candidates = this.#intermediates.filter((one) => isIssuerByName(one, child) && !isLoop(path, one))
    for (const candidate of inOrder(candidates, child, (one) => one)) {
      const nextDepth = depth + (isSelfIssued(candidate) ? 0 : 1)
      if (nextDepth > this.#maxDepth) {
        const message = 'there are more intermediates than are followed'
        const evidence = { maxDepth: this.#maxDepth }
        this.#note(this.#dead(path, [{ code: 'path_too_long', message, depth: path.length - 1, evidence }]))
        continue
      }
      if (!(await this.#isSignedBy(path, candidate))) continue
      const found = await this.#extend([...path, candidate], nextDepth)
      if (found !== null) return found
    }
    if (anchors.length + candidates.length === 0) this.#note(this.#noIssuer(path))
    return null
  }

  async #isSignedBy(path: readonly Certificate[], issuer: Certificate): Promise<boolean> {
    const child = path.at(-1) as Certificate
    const answer = await this.#signatures.check(child, issuer)
    if (answer === null) return false
    if (!answer.ok) this.#note(this.#dead(path, [signatureProblem(answer.error, path, issuer)]))
    return answer.ok
  }

  /** Checks a path that ends at an anchor. The attempt where it stands, else null. */
  async #finish(path: readonly Certificate[], anchorId: string): Promise<Attempt | null> {
    const { atMs, purpose } = this.#input
    const last = path.length - 1
    const problems = path.flatMap((certificate, depth) =>
      this.#checkAlone(certificate, { isLeaf: depth === 0, isAnchor: depth === last }, depth),
    )
    problems.push(...checkPathLengths(path), ...checkPurpose(path, purpose), ...checkTimes(path, atMs))
    problems.push(...checkNameConstraints(path, this.#budget))
    if (this.#mismatch !== null) problems.push(this.#mismatch)
    const revocation = this.#input.checkRevocation ? await this.#checkRevocation(path) : null
    problems.push(...(revocation?.problems ?? []))
    const attempt = { path, anchorId, problems, notRevoked: revocation?.notRevoked ?? null }
    // A check that ran out of budget did not find what it might have found.
    if (problems.every(isWarning) && this.#budget.exhausted === null) return attempt
    this.#note(attempt)
    return null
  }

  #checkAlone(certificate: Certificate, place: Place, depth: number): PathProblem[] {
    const problems = this.#ownProblems.get(certificate) ?? checkCertificate(certificate, place)
    this.#ownProblems.set(certificate, problems)
    return problems.map((problem) => ({ ...problem, depth }))
  }

  async #checkRevocation(
    path: readonly Certificate[],
  ): Promise<{ problems: PathProblem[]; notRevoked: boolean | null }> {
    const problems: PathProblem[] = []
    const checkSignature = async (crl: Crl, issuer: Certificate): Promise<Result<void, SignatureError>> =>
      (await this.#signatures.check(crl, issuer)) ?? OUT_OF_BUDGET
    const crls = this.#crls
    for (const [depth, certificate] of path.entries()) {
      const issuer = path[depth + 1]
      // The anchor is trusted because the caller says so; no list of its own could take that back.
      if (issuer === undefined) continue
      const answer = await checkRevocation({ certificate, issuer, crls, atMs: this.#input.atMs, checkSignature })
      const serialNumber = formatSerial(certificate.serialNumber)
      if (answer.status === 'revoked') {
        const { revokedAtMs, reasonCode } = answer
        const evidence = { serialNumber, revokedAtMs, reasonCode }
        problems.push({ code: 'revoked', message: 'the certificate is revoked', depth, evidence })
      }
      if (answer.status === 'unknown') {
        const why = answer.reasons.length === 0 ? 'there is no CRL of its issuer' : answer.reasons.join('; ')
        const message = 'it is not known whether the certificate is revoked'
        problems.push({ code: 'revocation_unknown', message, depth, evidence: { serialNumber, why } })
      }
    }
    const isRevoked = problems.some(({ code }) => code === 'revoked')
    return { problems, notRevoked: isRevoked ? false : problems.length > 0 ? null : true }
  }

  /** Keeps the attempt that says most; of equals, the first. */
  #note(attempt: Attempt): void {
    if (this.#best === null || isBetter(attempt, this.#best)) this.#best = attempt
  }

  #dead(path: readonly Certificate[], problems: readonly PathProblem[]): Attempt {
    const times = checkTimes(path, this.#input.atMs)
    return { path, anchorId: null, problems: [...problems, ...times], notRevoked: null }
  }

  #noIssuer(path: readonly Certificate[]): Attempt {
    const depth = path.length - 1
    const last = path[depth] as Certificate
    const evidence = { issuer: formatName(last.issuer) }
    const problem: PathProblem = isSelfIssued(last)
      ? { code: 'root_not_trusted', message: 'the path ends in a root that is not a trust anchor', depth, evidence }
      : { code: 'issuer_not_found', message: 'no certificate that was given is of the issuer', depth, evidence }
    return this.#dead(path, [problem])
  }

  #readAnchors(): Anchor[] {
    const anchors: Anchor[] = []
    for (const { id, der } of this.#input.anchors) {
      const parsed = parseCertificate(der)
      if (parsed.ok) anchors.push({ id, certificate: parsed.value })
      else this.#warn('anchor_ignored', `a trust anchor is malformed: ${parsed.error.message}`, { anchorId: id })
    }
    return anchors
  }

  #readIntermediates(): Certificate[] {
    const certificates: Certificate[] = []
    // Servers send the root too, and some send things twice: a copy leads nowhere new.
    const seen = new Set(this.#anchors.map(({ certificate }) => toHex(certificate.der)))
    for (const [index, der] of this.#input.intermediates.entries()) {
      if (index >= MAX_INTERMEDIATES) {
        this.#warn('intermediate_ignored', `no more than ${MAX_INTERMEDIATES} certificates are taken`, { index })
        break
      }
      const key = toHex(der)
      if (seen.has(key)) continue
      seen.add(key)
      const parsed = parseCertificate(der)
      if (parsed.ok) certificates.push(parsed.value)
      else this.#warn('intermediate_ignored', `a certificate is malformed: ${parsed.error.message}`, { index })
    }
    return certificates
  }

  #warn(code: PathProblem['code'], message: string, evidence: PathProblem['evidence']): void {
    this.warnings.push({ code, message, depth: null, evidence })
  }
}

const OUT_OF_BUDGET: Result<never, SignatureError> = {
  ok: false,
  error: { reason: 'bad_signature', message: 'not checked, as the search took too much work' },
}

const isIssuerByName = (issuer: Certificate, child: Certificate): boolean =>
  equalBytes(issuer.subject.der, child.issuer.der)

/** RFC 4158 §2.4.2: the same name with the same key a second time leads nowhere new. */
function isLoop(path: readonly Certificate[], candidate: Certificate): boolean {
  return path.some(
    ({ subject, subjectPublicKeyInfo }) =>
      equalBytes(subject.der, candidate.subject.der) &&
      equalBytes(subjectPublicKeyInfo.der, candidate.subjectPublicKeyInfo.der),
  )
}

/** RFC 4158 §3.5.12: whose key identifier fits comes first. Only an order: identifiers are hints. */
function inOrder<T>(candidates: readonly T[], child: Certificate, certificateOf: (one: T) => Certificate): T[] {
  const wanted = child.authorityKeyIdentifier?.keyIdentifier ?? null
  const distance = (one: T): number => {
    const found = certificateOf(one).subjectKeyIdentifier
    if (wanted === null || found === null) return 1
    return equalBytes(wanted, found) ? 0 : 2
  }
  return candidates.toSorted((a, b) => distance(a) - distance(b))
}

function signatureProblem(error: SignatureError, path: readonly Certificate[], issuer: Certificate): PathProblem {
  const depth = path.length - 1
  const algorithm = (path[depth] as Certificate).signatureAlgorithm.oid
  const evidence = { algorithm, issuer: formatName(issuer.subject), issuerSerial: formatSerial(issuer.serialNumber) }
  switch (error.reason) {
    case 'unsupported_algorithm':
      // MD5, SHA-1 and DSA among them.
      return { code: 'signature_algorithm_refused', message: `refused: ${error.message}`, depth, evidence }
    case 'unusable_key':
      return { code: 'key_refused', message: `the key of the issuer: ${error.message}`, depth, evidence }
    case 'bad_signature':
      return { code: 'signature_invalid', message: error.message, depth, evidence }
  }
}
