import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingLine, missingServers, moduleVersionIn, pebbleVersionOf } from '../../../tools/install-servers.ts'
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts'

describe('finding the real servers', () => {
  let folder: TempFolder
  beforeAll(() => {
    folder = makeTempFolder('install-servers')
  })
  afterAll(() => folder.remove())

  const program = (name: string, script: string): string => {
    const path = join(folder.path, name)
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
    return path
  }

  it('ok: a release says its version', () => {
    expect(pebbleVersionOf(program('release', 'echo "Pebble version: v2.10.1"'))).toBe('v2.10.1')
  })

  it('ok: a module that was installed by version carries it in its build information', () => {
    const answer =
      '/bin/pebble: go1.26.8\n\tpath\tgithub.com/letsencrypt/pebble/v2/cmd/pebble\n\tmod\tgithub.com/letsencrypt/pebble/v2\tv2.10.1\th1:oKHx=\n'
    expect(moduleVersionIn(answer)).toBe('v2.10.1')
  })

  it('fail: a program without a version, such as the old 2.4.0, has none', () => {
    expect(pebbleVersionOf(program('old', 'echo "flag provided but not defined: -version" >&2; exit 2'))).toBeNull()
    expect(moduleVersionIn('/bin/pebble: go1.19.8\n\tpath\tcommand-line-arguments\n')).toBeNull()
  })

  it('fail: what is missing is named in one line with its package', () => {
    const missing = missingServers({ pebble: '/p', challtestsrv: '/c', named: '/n' })
    expect(missing).toEqual(['dig', 'nsupdate'])
    expect(missingLine(missing)).toBe(
      'Real servers for the tests and the demo are not here: dig (Debian package bind9-dnsutils); nsupdate (Debian package bind9-dnsutils)',
    )
  })
})
