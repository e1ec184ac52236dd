/** Which zones may hold a name. By the name alone: no server is asked. */
import { ok, type Result } from '../core/result.ts'
import { isWithin, parentOf, parseName } from './wire/name.ts'

/**
 * The name and what is above it, the longest first, down to two labels: no provider has a top-level domain as a
 * zone. The error is a sentence.
 */
export function zoneCandidates(name: string): Result<readonly string[], string> {
  const parsed = parseName(name)
  if (!parsed.ok) return parsed
  const candidates: string[] = []
  for (let at: string | null = parsed.value; at?.includes('.'); at = parentOf(at)) candidates.push(at)
  return ok(candidates)
}

/** A provider's name for a zone in the form used here, or null where it is no name. */
export function zoneNameOf(text: string): string | null {
  const parsed = parseName(text)
  return parsed.ok && parsed.value !== '' ? parsed.value : null
}

/** `_acme-challenge.www` of `_acme-challenge.www.example.com` in the zone `example.com`; null outside of it. */
export function relativeName(name: string, zone: string, apex: string): string | null {
  if (!isWithin(name, zone)) return null
  return name === zone ? apex : name.slice(0, -zone.length - 1)
}
