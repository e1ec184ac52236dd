/**
 * The CRLs of one search, each read once, and gone through at most once more for the certificates of that search. Does not
 * judge lists: see revocation.ts.
 */
import { type Bytes, equalBytes, toHex } from '../../core/bytes.ts'
import { type Crl, type CrlEntry, crlEntries, parseCrl } from '../crl.ts'
import type { DistinguishedName } from '../general-name.ts'

export class CrlIndex {
  /** Positions of those that are malformed. */
  readonly malformed: readonly number[]
  readonly #crls: readonly Crl[]
  readonly #wanted: ReadonlySet<string>
  readonly #found = new Map<Crl, ReadonlyMap<string, CrlEntry>>()

  /** `serialNumbers` are all that may be asked for later. */
  constructor(ders: readonly Bytes[], serialNumbers: readonly Bytes[]) {
    const crls: Crl[] = []
    const malformed: number[] = []
    for (const [index, der] of ders.entries()) {
      const crl = parseCrl(der)
      if (crl.ok) crls.push(crl.value)
      else malformed.push(index)
    }
    this.#crls = crls
    this.malformed = malformed
    this.#wanted = new Set(serialNumbers.map(toHex))
  }

  /** By the issuer's name alone. */
  ofIssuer(issuer: DistinguishedName): Crl[] {
    return this.#crls.filter((crl) => equalBytes(crl.issuer.der, issuer.der))
  }

  /** The entry of that serial number, or null. Throws for one that was not among `serialNumbers`. */
  find(crl: Crl, serialNumber: Bytes): CrlEntry | null {
    const key = toHex(serialNumber)
    if (!this.#wanted.has(key)) throw new TypeError('a serial number that was not announced')
    const found = this.#found.get(crl) ?? this.#goThrough(crl)
    return found.get(key) ?? null
  }

  #goThrough(crl: Crl): ReadonlyMap<string, CrlEntry> {
    const found = new Map<string, CrlEntry>()
    for (const entry of crlEntries(crl)) {
      const key = toHex(entry.serialNumber)
      // Of two entries for one number the first counts.
      if (this.#wanted.has(key) && !found.has(key)) found.set(key, entry)
    }
    this.#found.set(crl, found)
    return found
  }
}
