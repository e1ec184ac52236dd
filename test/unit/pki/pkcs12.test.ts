import { describe, expect, it } from 'vitest'
import { DerReader } from '../../../src/pki/der/reader.ts'
import { derSequence } from '../../../src/pki/der/writer.ts'
import { buildPkcs12 } from '../../../src/pki/pkcs12.ts'

const build = (passphrase: string) =>
  buildPkcs12({
    privateKeyPkcs8Der: derSequence(),
    certificateDers: [derSequence()],
    passphrase,
    friendlyName: 'x',
  })

describe('buildPkcs12', () => {
  it('ok: is DER of version 3, and no two files share a salt', async () => {
    const files = [await build('secret'), await build('secret')].map((file) => (file.ok ? file.value : derSequence()))
    expect(files.map((file) => DerReader.over(file).sequence().smallInteger())).toEqual([3, 3])
    expect(files[0]).not.toEqual(files[1])
  })

  it.each([
    ['nothing', ''],
    ['a control character', 'a\nb'],
    ['a letter that is not ASCII, which Java refuses', 'ä'],
    ['more than 1,000 characters', 'a'.repeat(1_001)],
  ])('fail: %s is no passphrase', async (_, passphrase) => {
    expect(await build(passphrase)).toMatchObject({ ok: false, error: expect.stringContaining('passphrase') })
  })
})
