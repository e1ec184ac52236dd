/** Asks CAs when they want certificates renewed, then orders the renewals that are due. */
import { renewAcmeCertificate } from '../orders/issue.ts'
import { renewDue } from '../renewal/renew-due.ts'
import { checkRenewalInfo } from '../renewal/renewal-checks.ts'
import type { CronDependencies } from './run-cron.ts'

/** The questions come first: a window that has moved into the past is a renewal of this very run. */
export async function renewDueCertificates(dependencies: CronDependencies): Promise<void> {
  const checks = await checkRenewalInfo(dependencies)
  if (checks.answered + checks.failed > 0) dependencies.log.info('renewal_info', { ...checks })
  const { started, failed } = await renewDue({
    ...dependencies,
    renew: (actor, certificate) => renewAcmeCertificate(dependencies, actor, certificate, 'renewal'),
  })
  if (started + failed > 0) dependencies.log.info('renewals', { started, failed })
}
