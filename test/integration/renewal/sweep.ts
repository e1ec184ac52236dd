import { type IssueDependencies, renewAcmeCertificate } from '../../../src/orders/issue.ts'
import { renewDue } from '../../../src/renewal/renewal-sweep.ts'

/** The sweep over what is due, with orders as the service starts them. */
export function sweepRenewals(dependencies: IssueDependencies): ReturnType<typeof renewDue> {
  return renewDue({
    ...dependencies,
    renew: (actor, certificate) => renewAcmeCertificate(dependencies, actor, certificate, 'renewal'),
  })
}
