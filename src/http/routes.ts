/** Every route that is served. One line per resource. */
import type { Route } from './define-route.ts'
import { acmeAccountRoutes } from './routes/acme-accounts.ts'
import { acmeChallengeRoutes } from './routes/acme-challenges.ts'
import { acmeOrderRoutes } from './routes/acme-orders.ts'
import { acmePreflightRoutes } from './routes/acme-preflight.ts'
import { auditRoutes } from './routes/audit.ts'
import { certificateRoutes } from './routes/certificates.ts'
import { dnsProviderRoutes } from './routes/dns-providers.ts'
import { health } from './routes/health.ts'
import { keyringRoutes } from './routes/keyring.ts'
import { readiness } from './routes/readiness.ts'
import { referenceRoutes } from './routes/reference.ts'
import { secretRoutes } from './routes/secrets.ts'
import { tokenRoutes } from './routes/tokens.ts'

export const ROUTES: readonly Route[] = [
  health,
  readiness,
  ...referenceRoutes(() => ROUTES),
  ...tokenRoutes,
  ...secretRoutes,
  ...auditRoutes,
  ...keyringRoutes,
  ...certificateRoutes,
  ...acmeAccountRoutes,
  ...acmeOrderRoutes,
  ...acmeChallengeRoutes,
  ...acmePreflightRoutes,
  ...dnsProviderRoutes,
]
