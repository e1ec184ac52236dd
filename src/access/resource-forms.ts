/** The forms of resources, which the paths of tokens are globs over. Which route is about which resource is said where it is declared. */
import { ID_PREFIXES } from '../core/ids.ts'
import { globCovers, isPathGlob } from '../core/path-glob.ts'
import { OWN_TENANT } from '../core/resources.ts'

export interface ResourceForm {
  /** Segments; the last may stand for an id, a name or a path. */
  readonly form: string
  readonly example: string
  readonly meaning: string
}

const id = (area: string, prefix: string, meaning: string): ResourceForm => ({
  form: `${area}/{${prefix}…}`,
  example: `${area}/${prefix}*`,
  meaning,
})

/** Every form. */
export const RESOURCE_FORMS: readonly ResourceForm[] = [
  id('pki/ca', ID_PREFIXES.ca, 'CAs'),
  { form: 'pki/roles/{name}', example: 'pki/roles/svc-*', meaning: 'roles' },
  id('pki/certificates', ID_PREFIXES.certificate, 'certificates'),
  id('pki/csr', ID_PREFIXES.csr, 'requests for approval'),
  id('pki/trust-anchors', ID_PREFIXES.trustAnchor, 'trust anchors'),
  id('pki/acme/accounts', ID_PREFIXES.acmeAccount, 'accounts at CAs'),
  id('pki/acme/orders', ID_PREFIXES.acmeOrder, 'orders, with their challenges'),
  id('pki/dns-providers', ID_PREFIXES.dnsProvider, 'DNS providers'),
  { form: 'secrets/{path}', example: 'secrets/infra/*', meaning: 'secrets; the path has segments of its own' },
  id('zones', ID_PREFIXES.zone, 'imported zones'),
  id('subscriptions', ID_PREFIXES.subscription, 'subscriptions, with their deliveries'),
  id('tokens', ID_PREFIXES.token, 'tokens'),
  id('sign-in/issuers', ID_PREFIXES.signInIssuer, 'issuers that are trusted to sign callers in'),
  id('tenants', ID_PREFIXES.tenant, 'tenants, for operators'),
  { form: OWN_TENANT, example: OWN_TENANT, meaning: 'the settings of the own tenant' },
  { form: 'audit', example: 'audit', meaning: 'the journal' },
  { form: 'keyring', example: 'keyring', meaning: 'the state of the key ring' },
  { form: 'metrics', example: 'metrics', meaning: 'the numbers of the deployment for Prometheus' },
]

/** The forms as one sentence, for messages. */
export const FORMS_SENTENCE = `the forms are ${RESOURCE_FORMS.map(({ example }) => example).join(', ')}`

/** Could this glob ever cover a resource? One that cannot is a typing error: its token would see nothing. */
export function canCoverResources(glob: string): boolean {
  return canCover(glob, RESOURCE_FORMS)
}

/** Could this glob ever cover a resource of one of those forms? */
export function canCover(glob: string, forms: readonly ResourceForm[]): boolean {
  return isPathGlob(glob) && forms.some(({ form }) => mayMatch(glob.split('/'), form.split('/')))
}

function mayMatch(glob: readonly string[], form: readonly string[]): boolean {
  const isLong = form.at(-1) === '{path}'
  if (glob.length > form.length && !isLong) return false
  return glob.every((segment, index) => segmentMayMatch(segment, form[index] ?? '{path}'))
}

/** `{name}` and `{path}` are any text, `{cert_…}` begins with its prefix, all else is itself. */
function segmentMayMatch(glob: string, form: string): boolean {
  const open = /^\{(?:name|path|(\w+_)…)\}$/.exec(form)
  const fixed = open === null ? form : (open[1] ?? '')
  const star = glob.indexOf('*')
  if (star === -1) return open === null ? glob === fixed : glob.startsWith(fixed) && glob.length > fixed.length
  const start = glob.slice(0, star)
  if (open !== null) return start.startsWith(fixed) || fixed.startsWith(start)
  return globCovers(glob, fixed)
}
