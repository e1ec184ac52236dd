/** What a tenant's standing means to its callers: a suspended tenant is read and not written, one that is being deleted is closed. */
import { formatTime } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import type { TenantStanding } from '../store/tenants.ts'

export const ACTIVE: TenantStanding = {
  status: 'active',
  suspendedAtMs: null,
  suspendedReason: null,
  deleteAtMs: null,
}

/** What the tenant is told that may not do what was asked; null where it may. `writes`: is it more than reading? */
export function refusalOf(standing: TenantStanding, { writes }: { readonly writes: boolean }): AppError | null {
  if (standing.status === 'deleting') return new AppError('forbidden', deletingMessage(standing))
  if (standing.status === 'suspended' && writes) return new AppError('forbidden', suspendedMessage(standing))
  return null
}

function suspendedMessage({ suspendedAtMs, suspendedReason }: TenantStanding): string {
  const since = suspendedAtMs === null ? '' : ` since ${formatTime(suspendedAtMs)}`
  const why = suspendedReason === null ? '' : ` (${suspendedReason})`
  return `This tenant is suspended${since}${why}: it can be read, and nothing is changed or issued; ask the operator of the deployment`
}

function deletingMessage({ deleteAtMs }: TenantStanding): string {
  const when = deleteAtMs === null ? '' : `, for good from ${formatTime(deleteAtMs)} on`
  return `This tenant is being deleted${when}: until then the operator of the deployment can take it back`
}
