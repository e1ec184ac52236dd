/** Why something is revoked, as bodies say it. */
import { z } from '@hono/zod-openapi'
import { REVOCATION_REASONS, type RevocationReason } from '../pki/revocation-reason.ts'

export const reasonField = z.enum(Object.keys(REVOCATION_REASONS) as [RevocationReason, ...RevocationReason[]])
