/** Every route that is served. One line per route. */
import type { Route } from './define-route.ts'
import { health } from './routes/health.ts'

export const ROUTES: readonly Route[] = [health]
