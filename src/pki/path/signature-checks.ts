/** Signatures over certificates and CRLs, each pair checked once and paid for out of the budget of the search. */
import { err, type Result } from '../../core/result.ts'
import type { Certificate } from '../certificate.ts'
import type { Crl } from '../crl.ts'
import { type SignatureError, type SignedMessage, verifySignature } from '../signature.ts'
import type { PathBudget } from './budget.ts'

type Signed = Certificate | Crl
type Answer = Result<void, SignatureError>

export class SignatureChecks {
  readonly #budget: PathBudget
  readonly #known = new Map<Signed, Map<Certificate, Answer>>()

  constructor(budget: PathBudget) {
    this.#budget = budget
  }

  /** Did that certificate's key sign it? Null where the budget is used up. */
  async check(signed: Signed, issuer: Certificate): Promise<Answer | null> {
    const known = this.#known.get(signed)?.get(issuer)
    if (known !== undefined) return known
    if (!this.#budget.spend('signatures')) return null
    const { tbsDer: message, signatureAlgorithm: algorithm, signature } = signed
    const answer = await verify({ message, algorithm, signature }, issuer)
    const answers = this.#known.get(signed) ?? new Map<Certificate, Answer>()
    this.#known.set(signed, answers.set(issuer, answer))
    return answer
  }
}

async function verify(signed: SignedMessage, issuer: Certificate): Promise<Answer> {
  try {
    return await verifySignature(signed, issuer.subjectPublicKeyInfo)
  } catch {
    // WebCrypto throws at parameters that it refuses, such as a salt that is longer than the key.
    return err({ reason: 'bad_signature', message: 'the platform refuses the signature' })
  }
}
