/** E-mail addresses as two parts that can be compared. Quoted local parts are not taken. */
import { parseDnsName } from '../dns-name.ts'

export interface Mailbox {
  /** RFC 5280 §7.5: compared as it stands, in its case. */
  readonly local: string
  /** In lower case. */
  readonly host: string
}

/** RFC 5321 §4.1.2: a Dot-string. */
const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/

/** Null where the text is no address. */
export function parseMailbox(text: string): Mailbox | null {
  const at = text.indexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  const host = parseDnsName(text.slice(at + 1))
  if (!LOCAL.test(local) || !host.ok || host.value.isWildcard) return null
  return { local, host: host.value.name }
}
