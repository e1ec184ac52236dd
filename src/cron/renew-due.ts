/** Asks CAs when they want certificates renewed, then orders the renewals that are due. */
import { type IssueDependencies, renewAcmeCertificate } from '../orders/issue.ts'
import { checkRenewalInfo, type RenewalCheckDependencies } from '../renewal/renewal-checks.ts'
import { renewDue } from '../renewal/renewal-sweep.ts'

export type RenewDueDependencies = IssueDependencies & RenewalCheckDependencies

/** CAs are asked first: where a window has moved into the past, the renewal is ordered in the same run. */
export async function renewDueCertificates(dependencies: RenewDueDependencies): Promise<void> {
  const checks = await checkRenewalInfo(dependencies)
  if (checks.answered + checks.failed > 0) dependencies.log.info('renewal_info', { ...checks })
  const { started, failed } = await renewDue({
    ...dependencies,
    renew: (actor, certificate) => renewAcmeCertificate(dependencies, actor, certificate, 'renewal'),
  })
  if (started + failed > 0) dependencies.log.info('renewals', { started, failed })
}
