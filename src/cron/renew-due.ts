/** Orders the renewals that are due. */
import { renewDue } from '../orders/renewal.ts'
import type { CronDependencies } from './run-cron.ts'

export async function renewDueCertificates(dependencies: CronDependencies): Promise<void> {
  const { started, failed } = await renewDue(dependencies)
  if (started + failed > 0) dependencies.log.info('renewals', { started, failed })
}
