/** Which entries of the journal a subscription gets. */
import { globCovers } from '../core/path-glob.ts'
import { EVENT_NAMES } from './catalogue.ts'

/** Stands for every event of the catalogue. */
export const EVERY_EVENT = '*'

const PUBLIC_EVENTS: ReadonlySet<string> = new Set(EVENT_NAMES)

/** May subscribers get it? Entries with other events are in the audit alone. */
export const isPublicEvent = (event: string): boolean => PUBLIC_EVENTS.has(event)

export function matchesSubscription(
  { paths, events }: { readonly paths: readonly string[]; readonly events: readonly string[] },
  { event, resource }: { readonly event: string; readonly resource: string },
): boolean {
  if (!isPublicEvent(event)) return false
  if (!events.includes(event) && !events.includes(EVERY_EVENT)) return false
  return paths.some((glob) => globCovers(glob, resource))
}
