/** Every route that is served. One line per route. */
import type { Route } from './define-route.ts'
import { auditRoutes } from './routes/audit.ts'
import { health } from './routes/health.ts'
import { secretRoutes } from './routes/secrets.ts'
import { tokenRoutes } from './routes/tokens.ts'

export const ROUTES: readonly Route[] = [health, ...tokenRoutes, ...secretRoutes, ...auditRoutes]
