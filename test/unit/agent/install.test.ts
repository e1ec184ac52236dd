import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { install, installedCertificate, isReloadPending, setReloadPending } from '../../../src/agent/install.ts'
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts'

let folder: TempFolder
let out: string
beforeEach(() => {
  folder = makeTempFolder('install')
  out = join(folder.path, 'tls')
})
afterEach(() => folder.remove())

const read = (file: string): string => readFileSync(join(out, file), 'utf8')

describe('install', () => {
  it('ok: both files, the key for its owner alone', () => {
    install(out, 'CERTIFICATE 1', 'KEY 1')
    expect([read('fullchain.pem'), read('privkey.pem')]).toEqual(['CERTIFICATE 1', 'KEY 1'])
    expect(statSync(join(out, 'privkey.pem')).mode & 0o777).toBe(0o600)
    expect(installedCertificate(out)).toBe('CERTIFICATE 1')
  })

  it('ok: both change by one link, and the version before is kept', () => {
    install(out, 'CERTIFICATE 1', 'KEY 1')
    const first = readlinkSync(join(out, 'current'))
    install(out, 'CERTIFICATE 2', 'KEY 2')
    install(out, 'CERTIFICATE 3', 'KEY 3')
    expect([read('fullchain.pem'), read('privkey.pem')]).toEqual(['CERTIFICATE 3', 'KEY 3'])
    expect(readlinkSync(join(out, 'fullchain.pem'))).toBe('current/fullchain.pem')
    expect(readlinkSync(join(out, 'current'))).not.toBe(first)
    expect(readdirSync(join(out, '.versions'))).toHaveLength(2)
  })

  it('ok: files that stood there before are replaced', () => {
    mkdirSync(out)
    writeFileSync(join(out, 'privkey.pem'), 'OLD')
    writeFileSync(join(out, 'fullchain.pem'), 'OLD')
    install(out, 'CERTIFICATE 1', 'KEY 1')
    expect([read('fullchain.pem'), read('privkey.pem')]).toEqual(['CERTIFICATE 1', 'KEY 1'])
  })

  it('ok: what a crash left half done is done again', () => {
    install(out, 'CERTIFICATE 1', 'KEY 1')
    symlinkSync('nowhere', join(out, '.current.next'))
    install(out, 'CERTIFICATE 1', 'KEY 2')
    expect(read('privkey.pem')).toBe('KEY 2')
  })

  it('fail: a certificate without its key counts as none', () => {
    mkdirSync(out)
    writeFileSync(join(out, 'fullchain.pem'), 'CERTIFICATE')
    expect(installedCertificate(out)).toBeNull()
  })
})

describe('folders', () => {
  it('fail: one that cannot be made is an error at once, not a search without an end', () => {
    expect(() => install('/proc/certwright/tls', 'certificate', 'key')).toThrow(/ENOENT|EACCES|EPERM/)
  })
})

describe('setReloadPending', () => {
  it('ok: is remembered until it is done', () => {
    expect(isReloadPending(out)).toBe(false)
    setReloadPending(out, true)
    expect(isReloadPending(out)).toBe(true)
    setReloadPending(out, false)
    expect(isReloadPending(out)).toBe(false)
  })
})
