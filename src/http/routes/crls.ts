/** The CRLs of the CAs: `/v1/pki/ca/{id}/crl`. */

import { z } from '@hono/zod-openapi'
import { type CurrentCrl, readCurrentCrl } from '../../authority/crl/current-crl.ts'
import { CRL_PERIOD_MS } from '../../authority/crl/make-crl.ts'
import { publishNow } from '../../authority/crl/publish-now.ts'
import { sha256, toHex } from '../../core/bytes.ts'
import { formatTime } from '../../core/clock.ts'
import { AppError } from '../../core/errors.ts'
import { resourceName } from '../../core/resources.ts'
import { formatPem } from '../../pki/pem.ts'
import { findPublicCa } from '../../store/authorities.ts'
import { empty, json, raw } from '../answer.ts'
import { definePublicRoute, defineRoute, type PublicInput, type Route } from '../define-route.ts'
import { isNotModified, preferredForm } from '../negotiation.ts'

const time = z.iso.datetime()
const resourceOf = ({ id }: { readonly id: string }) => resourceName.ca(id)

const crlSchema = z
  .strictObject({
    crl_pem: z.string(),
    crl_number: z
      .union([z.number().int(), z.string()])
      .openapi({ description: 'Digits in a string beyond 2^53: a CA from elsewhere goes on from its last number' }),
    this_update: time,
    next_update: time,
    revoked_count: z.number().int(),
  })
  .openapi('Crl')

const publish = defineRoute({
  method: 'post',
  path: '/v1/pki/ca/{id}/crl',
  tag: 'Certificate authorities',
  summary: 'Make a new CRL now',
  access: { scope: 'pki:admin', resource: resourceOf },
  params: z.object({ id: z.string() }),
  responses: { 200: { description: 'The CRL', schema: crlSchema } },
  async handler({ params: { id }, actor, deps }) {
    const published = await publishNow(deps, actor, id)
    return json(200, {
      crl_pem: formatPem('X509 CRL', published.der),
      crl_number: published.crlNumber,
      this_update: formatTime(published.thisUpdateMs),
      next_update: formatTime(published.nextUpdateMs),
      revoked_count: published.revokedCount,
    })
  },
})

const PUBLIC = { public: 'checking a certificate needs to know whether it is revoked' }
const responses = {
  200: { description: 'The CRL', mediaTypes: ['application/pkix-crl', 'application/x-pem-file'] },
  304: { description: 'It is the one that If-None-Match names, or none has come since If-Modified-Since' },
} as const

const read = definePublicRoute({
  method: 'get',
  path: '/v1/pki/ca/{id}/crl',
  tag: 'Certificate authorities',
  summary: 'The current CRL',
  description: 'DER, or PEM for `Accept: application/x-pem-file`.',
  access: PUBLIC,
  params: z.object({ id: z.string() }),
  responses,
  handler: (input) => serveCrl(input, 0),
})

const readPart = definePublicRoute({
  method: 'get',
  path: '/v1/pki/ca/{id}/crl/{partition}',
  tag: 'Certificate authorities',
  summary: 'One part of the current CRL',
  description: 'For CAs with `crl_partitions`: certificates name the part that they would stand in.',
  access: PUBLIC,
  params: z.object({ id: z.string(), partition: z.string() }),
  responses,
  handler: (input) => serveCrl(input, partOf(input.params.partition)),
})

/** The number of a part as addresses have it: `01`, `1.0` and `0x1` are other texts, and name nothing. */
const partOf = (text: string): number => (/^[1-9]\d{0,3}$/.test(text) ? Number(text) : -1)

const CRL_FORMS = [
  { form: 'der', mediaType: 'application/pkix-crl' },
  { form: 'pem', mediaType: 'application/x-pem-file' },
] as const

export const crlRoutes: readonly Route[] = [publish, read, readPart]

type CrlInput = Pick<PublicInput<{ readonly id: string }, unknown, unknown>, 'params' | 'request' | 'deps'>

async function serveCrl({ params: { id }, request, deps }: CrlInput, partition: number) {
  const current = await readCurrentCrl(deps, () => findPublicCa(deps.store, id), partition)
  if (current === null) throw new AppError('not_found', `There is no CRL of the CA ${id}`)
  const { thisUpdateMs, der } = current
  const wantsPem = preferredForm(request.headers.get('accept'), CRL_FORMS) === 'pem'
  const etag = `"${toHex(await sha256(der)).slice(0, 32)}${wantsPem ? '-pem' : ''}"`
  const headers = {
    etag,
    vary: 'accept',
    'last-modified': new Date(thisUpdateMs).toUTCString(),
    'cache-control': `public, max-age=${maxAgeSeconds(current, deps.now())}`,
  }
  if (isNotModified(request.headers, { etag, lastModifiedMs: thisUpdateMs })) return empty(304, headers)
  return wantsPem
    ? raw(200, 'application/x-pem-file', formatPem('X509 CRL', der), headers)
    : raw(200, 'application/pkix-crl', der, headers)
}

/** Caches ask again when a new list may be there, so within the period, and never keep one beyond its nextUpdate. */
function maxAgeSeconds({ thisUpdateMs, nextUpdateMs }: CurrentCrl, nowMs: number): number {
  const untilNewMs = thisUpdateMs + CRL_PERIOD_MS - nowMs
  const untilEndMs = nextUpdateMs - nowMs
  return Math.max(0, Math.floor(Math.min(MAX_AGE_MS, Math.max(untilNewMs, MIN_AGE_MS), untilEndMs) / 1000))
}

/** A revocation is known everywhere within that time. */
const MAX_AGE_MS = 300_000
/** While a new list is late. */
const MIN_AGE_MS = 10_000
