/** Removes the records that verifications of zones have left behind. */
import type { ChallengeDependencies } from '../challenges/dependencies.ts'
import { removeStaleZoneRecords } from '../zones/stale-records.ts'

export type TidyZonesDependencies = ChallengeDependencies

export async function tidyZones(dependencies: TidyZonesDependencies): Promise<void> {
  await removeStaleZoneRecords(dependencies)
}
