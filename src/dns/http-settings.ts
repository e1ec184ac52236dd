/** Settings that providers with an HTTP API share. Errors start with the setting's name and never hold its value. */
import { checkTarget } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderSetting } from './provider-descriptor.ts'

export const ENDPOINT_SETTING: DnsProviderSetting = {
  name: 'endpoint',
  description: 'Another base address of the same API',
  required: false,
  secret: false,
  example: 'https://dns-proxy.example.com/api',
  destination: 'address',
}

/** The base address without a trailing slash: the setting, or else the provider's own. */
export function parseEndpoint(
  text: string | undefined,
  preset: string,
  allowPrivateTargets: boolean,
): Result<string, string> {
  const address = text?.trim() || preset
  const allowed = checkTarget(address, allowPrivateTargets)
  if (!allowed.ok) return err(`endpoint: ${allowed.error}`)
  if (allowed.value.search !== '' || allowed.value.hash !== '') return err('endpoint: give it without ? and #')
  return ok(address.replace(/\/+$/, ''))
}

/** A credential that is sent in a header: visible ASCII, without white space (RFC 6750 §2.1 allows less yet). */
export function parseToken(name: string, text: string | undefined): Result<string, string> {
  const token = text?.trim() ?? ''
  return /^[\x21-\x7e]{1,4096}$/.test(token) ? ok(token) : err(`${name}: give it as it was shown, in one line`)
}
