/** Every route that is served. One line per resource. */
import type { Route } from './define-route.ts'
import { acmeAccountRoutes } from './routes/acme-accounts.ts'
import { acmeOrderRoutes } from './routes/acme-orders.ts'
import { auditRoutes } from './routes/audit.ts'
import { certificateRoutes } from './routes/certificates.ts'
import { dnsProviderRoutes } from './routes/dns-providers.ts'
import { health } from './routes/health.ts'
import { secretRoutes } from './routes/secrets.ts'
import { tokenRoutes } from './routes/tokens.ts'

export const ROUTES: readonly Route[] = [
  health,
  ...tokenRoutes,
  ...secretRoutes,
  ...auditRoutes,
  ...certificateRoutes,
  ...acmeAccountRoutes,
  ...acmeOrderRoutes,
  ...dnsProviderRoutes,
]
