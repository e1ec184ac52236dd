/**
 * The part of a registration that the account's object does, one at a time: asks the CA. A CA knows an account by its key, and
 * the key is stored before this is called. So whatever is cut off, the next try with the same key finds the account that the
 * CA has made (RFC 8555 §7.3.1), and no external account binding is spent twice.
 */
import { type AcmeError, isProblem, isTransient } from '../acme/acme-error.ts'
import type { AcmeClient } from '../acme/client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { type AcmeAccountRow, findAcmeAccount, openAccountKeys } from '../store/acme-accounts.ts'
import type { Store } from '../store/store.ts'
import { accountClient, type ClientDependencies, contactOf } from './account-client.ts'
import type { Registration, RegistrationRefusal } from './account-object.ts'

/** Registers the account, or finds it at the CA: its address there. Writes nothing. Throws where D1 cannot be reached. */
export async function registerAtCa(
  dependencies: ClientDependencies & { readonly store: Store },
  { tenantId, accountId }: { readonly tenantId: string; readonly accountId: string },
  registration: Registration,
): Promise<Result<string, RegistrationRefusal>> {
  const { store } = dependencies
  const row = await findAcmeAccount(store, tenantId, accountId)
  if (row === null) return err({ reason: 'over', message: 'the account was removed meanwhile' })
  if (row.status === 'deactivated' || (registration.isFirst && row.status !== 'registering')) {
    return err({ reason: 'over', message: `the account is ${row.status} by now` })
  }
  const { current } = await openAccountKeys(store, row)
  const client = await accountClient(dependencies, row, current, null)
  return askCa(client, row, registration)
}

/** The CA's address of the account. */
async function askCa(
  client: AcmeClient,
  row: AcmeAccountRow,
  { isFirst, eab, email }: Registration,
): Promise<Result<string, RegistrationRefusal>> {
  const contact = contactOf(email)
  let mayBeKnown = false
  if (!isFirst) {
    const found = await client.newAccount({ onlyReturnExisting: true })
    if (found.ok) return adopt(client, found.value, row, contact)
    if (isTransient(found.error)) return err({ reason: 'refused', error: found.error, mayBeKnown: true })
    // A CA may refuse unknown keys in words of its own: it wants a binding, say.
    mayBeKnown = !isProblem(found.error, 'accountDoesNotExist')
  }
  const made = await client.newAccount({
    contact,
    termsOfServiceAgreed: true,
    ...(eab === null ? {} : { externalAccountBinding: { keyId: eab.kid, macKey: eab.hmacKey } }),
  })
  if (made.ok) return ok(made.value.accountUrl)
  return err({ reason: 'refused', error: made.error, mayBeKnown: mayBeKnown || isUnknownOutcome(client, made.error) })
}

/** An account that the CA has for the key already. RFC 8555 §7.3: what a newAccount says of it then is ignored. */
async function adopt(
  client: AcmeClient,
  { accountUrl, account }: { readonly accountUrl: string; readonly account: { readonly status: string } },
  row: AcmeAccountRow,
  contact: readonly string[],
): Promise<Result<string, RegistrationRefusal>> {
  if (account.status !== 'valid') {
    return err({ reason: 'over', message: `the CA says that the account is ${account.status}: register another one` })
  }
  const isTold = row.status === 'active' && contactOf(row.email).join() === contact.join()
  const told = isTold ? ok(undefined) : await client.updateAccount({ contact })
  return told.ok ? ok(accountUrl) : err({ reason: 'refused', error: told.error, mayBeKnown: true })
}

/**
 * May the request have done its work all the same? Only a newAccount that was sent, and that the CA has not clearly refused
 * (RFC 8555 §6.7): what failed before it (the directory, a nonce) names another address.
 */
function isUnknownOutcome(client: AcmeClient, error: AcmeError): boolean {
  const newAccountUrl = client.cachedDirectory()?.directory.newAccount
  switch (error.reason) {
    case 'transport':
    case 'bad_answer':
      return error.url === newAccountUrl
    case 'problem':
      return error.url === newAccountUrl && error.status >= 500
    case 'bad_nonce':
    case 'unsupported':
    case 'invalid_argument':
      return false
  }
}
