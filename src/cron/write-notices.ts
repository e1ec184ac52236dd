/** Writes the notices of what expires into the journal, from which subscribers get them. */
import type { Log } from '../core/log.ts'
import { type ExpiryNoticeDependencies, writeExpiryNotices } from '../events/expiry-notices.ts'

export interface WriteNoticesDependencies extends ExpiryNoticeDependencies {
  readonly log: Log
}

export async function writeNotices(dependencies: WriteNoticesDependencies): Promise<void> {
  const { written, failed } = await writeExpiryNotices(dependencies)
  if (written + failed > 0) dependencies.log.info('expiry_notices', { written, failed })
}
