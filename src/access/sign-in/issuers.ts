/** Trusted issuers: making, changing and removing them. No one can trust an issuer with more than they hold: ../grants.ts. */
import type { Actor } from '../../core/actor.ts'
import { canonicalJson } from '../../core/canonical-json.ts'
import { isClaimPath, isTemplate, templateError, withFiller } from '../../core/claims.ts'
import { AppError, type ErrorDetail, invalidField, missing } from '../../core/errors.ts'
import { checkTarget } from '../../core/http-client.ts'
import { newId } from '../../core/ids.ts'
import { type Principal, parseScopes } from '../../core/principal.ts'
import { resourceName } from '../../core/resources.ts'
import { entryBy } from '../../store/journal.ts'
import {
  deleteSignInIssuer,
  findSignInIssuer,
  findSignInIssuerSummary,
  insertSignInIssuer,
  mustTakeAnotherIssuer,
  type SignInIssuerRow,
  type SignInIssuerSummary,
  updateSignInIssuer,
} from '../../store/sign-in-issuers.ts'
import type { SignInMapping, SignInSettings } from '../../store/sign-in-settings.ts'
import type { Store } from '../../store/store.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import { grantedExpiry, grantedPaths, grantedScopes } from '../grants.ts'
import { canCoverResources, FORMS_SENTENCE } from '../resource-forms.ts'
import type { AccessDependencies } from '../tokens.ts'
import { discoveryAddress } from './fetch-keys.ts'
import { MAX_ISSUERS } from './limits.ts'

export interface IssuerDependencies extends AccessDependencies {
  readonly settings: { readonly publicUrl: string; readonly allowPrivateTargets: boolean }
}

export interface IssuerInput {
  readonly name: string
  readonly issuer: string
  readonly settings: SignInSettings
  /** Epoch milliseconds; null: with the one who makes it. */
  readonly expiresAtMs: number | null
}

/** Throws `invalid_request`, `forbidden` for what the maker does not hold, `already_exists`, and `conflict` where there are too many. */
export async function trustIssuer(
  dependencies: IssuerDependencies,
  actor: Actor,
  maker: Principal,
  input: IssuerInput,
  alongside: Alongside<SignInIssuerRow> = nothingElse,
): Promise<SignInIssuerRow> {
  const { store, now } = dependencies
  checkIssuer(dependencies, input)
  const row: SignInIssuerRow = {
    tenantId: actor.tenantId,
    id: newId('signInIssuer', now()),
    name: input.name,
    issuer: input.issuer,
    settings: grantedSettings(maker, input.settings),
    version: 1,
    expiresAtMs: grantedExpiry(maker, input.expiresAtMs, now()),
    createdBy: actor.tokenId,
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  const outcome = await store.commit({
    tenantId: row.tenantId,
    statements: [
      mustTakeAnotherIssuer(store, row.tenantId, MAX_ISSUERS),
      insertSignInIssuer(store, row),
      ...(await alongside(row)),
    ],
    entries: [entryOf('sign_in_issuer.created', actor, row)],
  })
  if (outcome.kind === 'conflict') {
    throw new AppError('conflict', `There are ${MAX_ISSUERS} trusted issuers: delete one first`)
  }
  requireNew(outcome, row)
  return row
}

export type IssuerChange = Partial<IssuerInput>

/** What is given replaces what was there. Throws `not_found`, `invalid_request`, `forbidden`, `already_exists` and `conflict`. */
export async function changeIssuer(
  dependencies: IssuerDependencies,
  actor: Actor,
  maker: Principal,
  id: string,
  changeOf: (before: SignInIssuerRow) => IssuerChange,
): Promise<SignInIssuerRow> {
  const { store, now } = dependencies
  const before = await requireIssuer(store, actor.tenantId, id)
  const { expiresAtMs, ...given } = changeOf(before)
  const changed = { ...before, ...given }
  checkIssuer(dependencies, changed)
  const keepsMappings = changed.settings.mappings === before.settings.mappings
  const isMoreThanName = Object.keys(given).some((field) => field !== 'name') || expiresAtMs !== undefined
  if (isMoreThanName && keepsMappings && maker.paths !== null && before.settings.mappings.some(({ paths }) => !paths))
    throw new AppError('forbidden', "The issuer grants what is outside of this token's paths")
  const held: SignInIssuerRow = {
    ...changed,
    // Who changes whom an issuer lets in, or on what terms, gives what it grants: all of it has to be theirs.
    ...(isMoreThanName ? { settings: grantedSettings(maker, changed.settings) } : {}),
    ...(isMoreThanName ? { expiresAtMs: changedExpiry(maker, before, expiresAtMs, now()) } : {}),
  }
  if (canonicalJson({ ...held }) === canonicalJson({ ...before })) return before
  const row: SignInIssuerRow = { ...held, version: before.version + 1, updatedAtMs: now() }
  const outcome = await store.commit({
    tenantId: row.tenantId,
    statements: [updateSignInIssuer(store, row)],
    entries: [entryOf('sign_in_issuer.updated', actor, row)],
  })
  if (outcome.kind === 'conflict') {
    throw new AppError('conflict', 'The issuer was changed at the same time: read it and try again')
  }
  requireNew(outcome, row)
  return row
}

/** Who signed in by it is refused from the next request on. Throws `not_found`. */
export async function distrustIssuer({ store }: AccessDependencies, actor: Actor, id: string): Promise<void> {
  const row = await findSignInIssuerSummary(store, actor.tenantId, id)
  if (row === null) throw missing(resourceName.signInIssuer(id))
  const outcome = await store.commit({
    tenantId: row.tenantId,
    statements: [deleteSignInIssuer(store, row.tenantId, row.id)],
    entries: [entryOf('sign_in_issuer.deleted', actor, row)],
  })
  if (outcome.kind !== 'committed') throw missing(resourceName.signInIssuer(id))
}

/** Throws `not_found`. */
export async function requireIssuer(store: Store, tenantId: string, id: string): Promise<SignInIssuerRow> {
  const row = await findSignInIssuer(store, tenantId, id)
  if (row === null) throw missing(resourceName.signInIssuer(id))
  return row
}

function requireNew(outcome: { readonly kind: string; readonly columns?: string }, row: SignInIssuerRow): void {
  if (outcome.kind === 'committed') return
  const what = outcome.columns?.includes('.issuer') === true ? `for ${row.issuer}` : `with the name ${row.name}`
  throw new AppError('already_exists', `There is a trusted issuer ${what} already: change that one`)
}

/** An expiry that stays has to be within the changer's own as well. */
function changedExpiry(
  maker: Principal,
  before: SignInIssuerRow,
  expiresAtMs: number | null | undefined,
  nowMs: number,
): number | null {
  if (expiresAtMs !== undefined) return grantedExpiry(maker, expiresAtMs, nowMs)
  if (maker.expiresAtMs !== null && (before.expiresAtMs === null || before.expiresAtMs > maker.expiresAtMs))
    throw new AppError('forbidden', 'The trust would outlive the token that changes it: give expires_at as well')
  return before.expiresAtMs
}

/** The settings with each mapping's scopes in their order and its paths bounded by the maker's. Throws `forbidden`. */
function grantedSettings(maker: Principal, settings: SignInSettings): SignInSettings {
  return { ...settings, mappings: settings.mappings.map((each, index) => grantedMapping(maker, each, index)) }
}

function grantedMapping(maker: Principal, mapping: SignInMapping, index: number): SignInMapping {
  const scopes = parseScopes(mapping.scopes)
  // Operators act on tenants: who is one is decided by tokens that are counted, never by another party's claims.
  if (scopes.includes('operator')) throw invalidField(`mappings[${index}].scopes`, 'operator cannot be given by claims')
  const paths = mapping.paths === null ? maker.paths : mapping.paths
  // A claim may turn out to be any text, as a star may.
  if (paths !== null)
    grantedPaths(
      maker,
      paths.map((path) => withFiller(path, '*')),
    )
  return { ...mapping, scopes: [...grantedScopes(maker, scopes, maker.tenantId)], paths: paths && [...paths] }
}

/** Throws `invalid_request` with everything that is wrong. */
function checkIssuer(
  { settings: { allowPrivateTargets } }: IssuerDependencies,
  input: Omit<IssuerInput, 'expiresAtMs'>,
): void {
  const { issuer, settings } = input
  const details: ErrorDetail[] = []
  const report = (path: string, message: string): void => {
    details.push({ path, message })
  }
  if (settings.keys.from === 'discovery') {
    const target = checkTarget(discoveryAddress(issuer), allowPrivateTargets)
    const isExact = target.ok && target.value.search === '' && target.value.hash === ''
    if (!target.ok) report('issuer', `${target.error}; without a public address, give jwks_url or jwks`)
    else if (!isExact) report('issuer', 'an issuer has no query and no fragment')
  }
  if (settings.keys.from === 'url') {
    const target = checkTarget(settings.keys.url, allowPrivateTargets)
    if (!target.ok) report('jwks_url', target.error)
  }
  if (settings.accessApplication && settings.audiences.length === 0) {
    report('audiences', "an access application has an audience of its own, the application's AUD tag: give it")
  }
  for (const [index, mapping] of settings.mappings.entries()) checkMapping(mapping, `mappings[${index}]`, report)
  const [first] = details
  if (first !== undefined) throw new AppError('invalid_request', `${first.path}: ${first.message}`, { details })
}

function checkMapping(mapping: SignInMapping, place: string, report: (path: string, message: string) => void): void {
  const wanted = Object.entries(mapping.match)
  for (const [path] of wanted) {
    if (!isClaimPath(path)) report(`${place}.match`, `${JSON.stringify(path)} is no path of a claim`)
  }
  const restricting = wanted.filter(([path]) => path !== 'iss' && path !== 'aud')
  if (!restricting.some(([, globs]) => globs.length > 0 && globs.every((glob) => /[^*]/.test(glob)))) {
    report(`${place}.match`, 'every token of the issuer would match, those made for others too: say whose, as in sub')
  }
  for (const [index, path] of (mapping.paths ?? []).entries()) {
    const error = isTemplate(path) ? templateError(path, '/') : null
    if (error !== null) report(`${place}.paths[${index}]`, error)
    else if (!canCoverResources(withFiller(path, '*'))) {
      report(`${place}.paths[${index}]`, `matches no resource that there can be; ${FORMS_SENTENCE}`)
    }
  }
}

const entryOf = (event: string, actor: Actor, { id, name, issuer }: SignInIssuerSummary) =>
  entryBy(actor, {
    event,
    resource: resourceName.signInIssuer(id),
    detail: { issuer_id: id, name, issuer },
  })
