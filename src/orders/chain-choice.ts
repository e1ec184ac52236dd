/** Which of the chains that a CA offers is taken (RFC 8555 §7.4.2). */

import type { AccountObject } from '../accounts/account-object.ts'
import type { Bytes } from '../core/bytes.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { ok, type Result } from '../core/result.ts'
import { parseCertificate } from '../pki/certificate.ts'
import { commonNameOf } from '../pki/general-name.ts'

export interface DownloadedChain {
  /** Leaf first. */
  readonly chain: readonly Bytes[]
  /** Where the preferred chain is not offered: a line for the log. */
  readonly note: string | null
}

/** The chain whose last certificate was issued by `preferred`, by common name; else the CA's default. */
export async function chooseChain(
  acme: Pick<AccountObject, 'downloadChain'>,
  url: string,
  preferred: string | null,
): Promise<Result<DownloadedChain, PeerFailure>> {
  const first = await acme.downloadChain(url)
  if (!first.ok) return first
  const standard = { chain: first.value.certificatesDer, note: null }
  if (preferred === null || topIssuer(standard.chain) === preferred) return ok(standard)
  for (const alternate of first.value.alternateUrls) {
    const other = await acme.downloadChain(alternate)
    if (!other.ok) return other
    if (topIssuer(other.value.certificatesDer) === preferred) {
      return ok({ chain: other.value.certificatesDer, note: null })
    }
  }
  return ok({ ...standard, note: `no chain leads to ${preferred}: the CA's default was taken` })
}

/** Common name of the issuer of the last certificate in a chain. */
function topIssuer(chain: readonly Bytes[]): string | null {
  const last = chain.at(-1)
  const parsed = last === undefined ? null : parseCertificate(last)
  return parsed?.ok ? commonNameOf(parsed.value.issuer) : null
}
