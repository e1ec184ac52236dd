/**
 * Every event that a subscription may name: what it means, what its `data` says, and an example. An event is an entry of the journal, and
 * `data` is the entry's detail; entries with other events are in the audit alone. Fields may be added; none is taken away.
 * The reference (`webhooks` of the OpenAPI document) and docs/event-catalogue.md are made from this table.
 */
import { z } from 'zod'
import { resourceName } from '../core/resources.ts'

export interface EventKind {
  readonly name: string
  /** One sentence or two: when it is written. */
  readonly meaning: string
  readonly data: z.ZodObject
  /** The `path` of the example. */
  readonly path: string
  readonly example: Readonly<Record<string, unknown>>
}

/** What a receiver gets of an event. */
export interface ExampleBody {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly path: string
  readonly data: Readonly<Record<string, unknown>>
}

const ID = '01kacx4e7n8q2r5t9v3w6y1z0b'
const CERTIFICATE = `cert_${ID}`
const CA = `ca_${ID}`
const ORDER = `acme_order_${ID}`
const CSR = `csr_${ID}`
const SUBSCRIPTION = `sub_${ID}`
const ACCOUNT = `acme_${ID}`
const AT = '2026-04-23T14:00:00Z'

const time = z.iso.datetime()
const serialNumber = z.string().regex(/^[0-9A-F]{2}(?::[0-9A-F]{2})*$/)
const count = z.number().int().nonnegative()

const certificateId = z.string().describe('The managed certificate; stays the same through its renewals')
const displayName = z.string().describe('The common name, else the first alternative name, else the serial number')
const version = z.number().int().positive().describe('1 for the first, one more with each renewal')
const notAfter = time.describe('When the version ends')

/** One version of a certificate, whatever it came from. */
const leafFields = {
  certificate_id: certificateId,
  version,
  display_name: displayName,
  common_name: z.string().nullable(),
  names: z.array(z.string()).describe('Every alternative name, of every type'),
  serial_number: serialNumber,
  not_before: time,
  not_after: notAfter,
  ca_id: z.string().nullable().describe("The tenant's own CA that issued it; null where another CA did"),
  account_id: z.string().nullable().describe('The ACME account that it came by; null where it did not come by ACME'),
}

const leaf = {
  certificate_id: CERTIFICATE,
  version: 1,
  display_name: '*.acme.example',
  common_name: null,
  names: ['*.acme.example', 'acme.example'],
  serial_number: '03:A1:5C:7E:90',
  not_before: AT,
  not_after: '2026-07-22T14:00:00Z',
  ca_id: null,
  account_id: ACCOUNT,
}

const sourceFields = {
  source: z.enum(['internal', 'acme', 'imported']),
  role: z.string().nullable().describe('The role that it was issued under; null where none was'),
}

const orderIdField = z.string().nullable().describe('The ACME order that brought it; null where none did')

const identityField = z
  .object({ issuer: z.string(), subject: z.string() })
  .optional()
  .describe('Who asked for it, where they signed in with a token of a trusted issuer')

const issuedFields = { ...leafFields, ...sourceFields, order_id: orderIdField, identity: identityField }
const identity = {
  issuer: 'https://token.actions.githubusercontent.com',
  subject: 'repo:acme/site:ref:refs/heads/main',
}
const issued = { ...leaf, source: 'acme', role: null, order_id: ORDER, identity } as const

const renewalFields = {
  auto_renew: z.boolean().describe('Will the service renew it by itself?'),
  next_renewal_at: time.nullable().describe('When it is renewed next; null where no renewal is scheduled'),
  renewal_failures: count.describe('Failed renewals in a row'),
  renewal_error: z.string().nullable().describe('What the last renewal failed of'),
}

const renewal = {
  auto_renew: true,
  next_renewal_at: '2026-07-16T14:00:00Z',
  renewal_failures: 2,
  renewal_error: 'the DNS provider refused the credentials',
}

const revocationFields = {
  reason: z.string().describe('One of the reasons of POST /v1/pki/revoke'),
  revoked_at: time,
}

const caFields = {
  ca_id: z.string(),
  name: z.string(),
  common_name: z.string(),
  ca_type: z.enum(['root', 'intermediate']),
  serial_number: serialNumber,
  not_before: time,
  not_after: notAfter,
}

const ca = {
  ca_id: CA,
  name: 'services',
  common_name: 'Example Services CA',
  ca_type: 'intermediate',
  serial_number: '4F:22:9B:10',
  not_before: AT,
  not_after: '2031-04-22T14:00:00Z',
} as const

const csrFields = {
  csr_id: z.string(),
  common_name: z.string().nullable(),
  names: z.array(z.string()).describe('Every alternative name, of every type'),
}

const csr = { csr_id: CSR, common_name: 'www.example.com', names: ['www.example.com'] }

const thresholdFields = {
  threshold_days: z.number().int().positive().describe('The threshold that was reached'),
  days_left: count.describe('Days until the end when the event was written, rounded up'),
}

function kind<Shape extends z.core.$ZodLooseShape>(
  name: string,
  path: string,
  meaning: string,
  shape: Shape,
  example: z.input<z.ZodObject<Shape>>,
): EventKind {
  return {
    name,
    path,
    meaning,
    data: z.object(shape) as unknown as z.ZodObject,
    example: example as EventKind['example'],
  }
}

const ofCertificate = resourceName.certificate(CERTIFICATE)
const ofCa = resourceName.ca(CA)
const ofCsr = resourceName.csr(CSR)

/** In the order in which people read about them. */
export const EVENT_CATALOGUE: readonly EventKind[] = [
  kind('certificate.issued', ofCertificate, 'A certificate has its first version.', issuedFields, issued),
  kind(
    'certificate.renewed',
    ofCertificate,
    'A certificate has a new version, which is the current one from now on.',
    issuedFields,
    { ...issued, version: 2 },
  ),
  kind(
    'certificate.renewal_failed',
    ofCertificate,
    'A renewal failed: the order failed, or none could be started. It is tried again at `next_attempt_at`.',
    {
      certificate_id: certificateId,
      version: version.describe('The version that was to be replaced'),
      name: displayName.describe('The same as display_name'),
      display_name: displayName,
      order_id: z.string().nullable().describe('The order that failed; null where none was started'),
      reason: z.string(),
      attempt: z.number().int().positive().describe('Failed renewals in a row, this one included'),
      next_attempt_at: time.nullable().describe('Null where auto_renew is off'),
      not_after: notAfter,
    },
    {
      certificate_id: CERTIFICATE,
      version: 1,
      name: '*.acme.example',
      display_name: '*.acme.example',
      order_id: ORDER,
      reason: 'the DNS provider refused the credentials',
      attempt: 2,
      next_attempt_at: '2026-06-22T14:10:00Z',
      not_after: '2026-07-22T14:00:00Z',
    },
  ),
  kind(
    'certificate.expiring',
    ofCertificate,
    'The current version of a certificate ends soon: 30, 14, 7, 3 and 1 days before its end, once for each threshold and version. ' +
      'Thresholds of more than a third of the lifetime do not count. After a time without cron only the nearest one is told.',
    { ...leafFields, ...sourceFields, ...thresholdFields, ...renewalFields },
    { ...leaf, source: 'acme', role: null, threshold_days: 7, days_left: 7, ...renewal },
  ),
  kind(
    'certificate.expired',
    ofCertificate,
    'The current version of a certificate, which no newer one has replaced, is over.',
    { ...leafFields, ...sourceFields, ...renewalFields },
    { ...leaf, source: 'acme', role: null, ...renewal },
  ),
  kind(
    'certificate.revoked',
    ofCertificate,
    'A version of a certificate was revoked or put on hold, by itself or with its CA.',
    { ...leafFields, ...revocationFields, order_id: orderIdField },
    { ...leaf, reason: 'superseded', revoked_at: '2026-05-02T09:30:00Z', order_id: null },
  ),
  kind(
    'certificate.unheld',
    ofCertificate,
    'A version of a certificate that was on hold is valid again.',
    { ...leafFields, ...revocationFields, order_id: orderIdField },
    { ...leaf, reason: 'certificate_hold', revoked_at: '2026-05-02T09:30:00Z', order_id: null },
  ),
  kind(
    'certificate.imported',
    ofCertificate,
    'A certificate from elsewhere was taken into the list.',
    { ...leafFields, ...sourceFields, with_private_key: z.boolean() },
    { ...leaf, source: 'imported', role: null, account_id: null, with_private_key: true },
  ),
  kind('ca.created', ofCa, 'A CA was made.', caFields, ca),
  kind('ca.imported', ofCa, 'A CA was taken in from elsewhere.', caFields, ca),
  kind('ca.reissued', ofCa, 'A CA has a new certificate for the same name and key.', caFields, ca),
  kind(
    'ca.expiring',
    ofCa,
    'The certificate of a CA ends soon: 180, 90, 30, 14, 7, 3 and 1 days before its end, once for each threshold and certificate.',
    { ...caFields, ...thresholdFields },
    { ...ca, threshold_days: 90, days_left: 90 },
  ),
  kind(
    'ca.revoked',
    ofCa,
    'A CA was revoked. Every certificate under it is revoked too, each with an event of its own; so is every CA below.',
    {
      ca_id: z.string(),
      name: z.string(),
      reason: z.string(),
      revoked_at: time,
      revoked_with: z.string().nullable().describe('The CA above whose revocation it was; null for that one itself'),
      cas_below: z.array(z.string()).optional().describe('Only where revoked_with is null: the CAs below it'),
    },
    { ca_id: CA, name: 'services', reason: 'superseded', revoked_at: AT, revoked_with: null, cas_below: [] },
  ),
  kind(
    'order.invalid',
    resourceName.acmeOrder(ORDER),
    'An ACME order failed. Where it was to renew a certificate, certificate.renewal_failed is written with it.',
    {
      order_id: z.string(),
      certificate_id: certificateId.describe('The certificate that it was to issue or renew'),
      account_id: z.string(),
      domains: z.array(z.string()),
      code: z.string().describe('For programs: what kind of failure it was'),
      message: z.string().describe('For people: what went wrong and what to do'),
    },
    {
      order_id: ORDER,
      certificate_id: CERTIFICATE,
      account_id: ACCOUNT,
      domains: ['*.acme.example', 'acme.example'],
      code: 'backend_error',
      message: 'the DNS provider refused the credentials',
    },
  ),
  kind(
    'subscription.disabled',
    resourceName.subscription(SUBSCRIPTION),
    'A subscription was switched off: its endpoint answered 410, or everything failed for days. Let another subscription get this one.',
    {
      subscription_id: z.string(),
      name: z.string(),
      reason: z
        .enum(['gone', 'failing'])
        .describe('gone: the endpoint answered 410; failing: no attempt succeeded for five days'),
    },
    { subscription_id: SUBSCRIPTION, name: 'wildcard-renewals', reason: 'failing' },
  ),
  kind('csr.generated', ofCsr, 'A request for approval was made, with a key of its own.', csrFields, csr),
  kind('csr.imported', ofCsr, 'A request for approval was brought.', csrFields, csr),
  kind('csr.approved', ofCsr, 'A request was approved.', csrFields, csr),
  kind(
    'csr.rejected',
    ofCsr,
    'A request was rejected, for good.',
    { ...csrFields, reason: z.string().optional() },
    { ...csr, reason: 'not a name of ours' },
  ),
  kind(
    'csr.signed',
    ofCsr,
    'A request was signed: certificate.issued is written with it.',
    { ...csrFields, certificate_id: z.string() },
    { ...csr, certificate_id: CERTIFICATE },
  ),
]

/** Names of events, for messages and the reference. */
export const EVENT_NAMES: readonly string[] = EVENT_CATALOGUE.map(({ name }) => name)

/** The example as a receiver gets it. */
export const exampleBody = ({ name, path, example }: EventKind): ExampleBody => ({
  id: `evt_${ID}`,
  type: name,
  timestamp: AT,
  path,
  data: example,
})
