/** Every route that is served. One line per resource. */
import type { Route } from './define-route.ts'
import { acmeAccountRoutes } from './routes/acme-accounts.ts'
import { acmeChallengeRoutes } from './routes/acme-challenges.ts'
import { acmeOrderRoutes } from './routes/acme-orders.ts'
import { acmePreflightRoutes } from './routes/acme-preflight.ts'
import { agentRoutes } from './routes/agent.ts'
import { auditRoutes } from './routes/audit.ts'
import { caRoutes } from './routes/authorities.ts'
import { certificateIntakeRoutes } from './routes/certificate-intake.ts'
import { certificateKeyRoutes } from './routes/certificate-keys.ts'
import { certificateRoutes } from './routes/certificates.ts'
import { crlRoutes } from './routes/crls.ts'
import { csrRoutes } from './routes/csrs.ts'
import { dnsProviderRoutes } from './routes/dns-providers.ts'
import { health } from './routes/health.ts'
import { issuingRoutes } from './routes/issuing.ts'
import { keyringRoutes } from './routes/keyring.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { readiness } from './routes/readiness.ts'
import { referenceRoutes } from './routes/reference.ts'
import { revocationRoutes } from './routes/revocation.ts'
import { roleRoutes } from './routes/roles.ts'
import { secretRoutes } from './routes/secrets.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { subscriptionRoutes } from './routes/subscriptions.ts'
import { tenantRoutes } from './routes/tenants.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { trustAnchorRoutes } from './routes/trust-anchors.ts'
import { zoneCertificateRoutes } from './routes/zone-certificates.ts'
import { zoneRoutes } from './routes/zones.ts'

export const ROUTES: readonly Route[] = [
  health,
  readiness,
  ...referenceRoutes(() => ROUTES),
  ...agentRoutes,
  ...tenantRoutes,
  ...tokenRoutes,
  ...signInRoutes,
  ...secretRoutes,
  ...subscriptionRoutes,
  ...auditRoutes,
  ...keyringRoutes,
  ...metricsRoutes,
  ...caRoutes,
  ...crlRoutes,
  ...roleRoutes,
  ...issuingRoutes,
  ...certificateIntakeRoutes,
  ...certificateRoutes,
  ...certificateKeyRoutes,
  ...revocationRoutes,
  ...csrRoutes,
  ...trustAnchorRoutes,
  ...acmeAccountRoutes,
  ...acmeOrderRoutes,
  ...acmeChallengeRoutes,
  ...acmePreflightRoutes,
  ...dnsProviderRoutes,
  ...zoneRoutes,
  ...zoneCertificateRoutes,
]
