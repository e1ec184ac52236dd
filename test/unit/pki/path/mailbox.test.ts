import { describe, expect, it } from 'vitest'
import { parseMailbox } from '../../../../src/pki/path/mailbox.ts'

describe('parseMailbox', () => {
  it('ok: keeps the case of the local part alone (RFC 5280 §7.5)', () => {
    expect(parseMailbox('Ann.B+c@Mail.EXAMPLE.com')).toEqual({ local: 'Ann.B+c', host: 'mail.example.com' })
  })

  it.each([
    '',
    '@',
    'ann',
    'ann@',
    '@example.com',
    'a@b@example.com',
    '"a b"@example.com',
    'a..b@example.com',
    '.a@example.com',
  ])('fail: %j is no address that is compared', (text) => {
    expect(parseMailbox(text)).toBeNull()
  })

  it.each(['ann@*.example.com', 'ann@192.0.2.1', 'ann@[192.0.2.1]', 'ann@example.com.', 'ann@exa mple.com'])(
    'fail: the host of %j is no name',
    (text) => {
      expect(parseMailbox(text)).toBeNull()
    },
  )
})
