/** Anti-replay nonces (RFC 8555 §6.5): a bounded pool, newest first. Each one is handed out once. */
import { MAX_NONCE_CHARS, MAX_POOLED_NONCES } from './limits.ts'

export interface NoncePool {
  /** Takes the newest nonce out of the pool. */
  take(): string | null
  add(nonce: string): void
}

/** One pool per CA: a nonce of one CA is nothing to another. */
export function createNoncePool(): NoncePool {
  const nonces: string[] = []
  return {
    // Nonces age: the newest is the likeliest to be good still.
    take: () => nonces.pop() ?? null,
    add(nonce) {
      nonces.push(nonce)
      if (nonces.length > MAX_POOLED_NONCES) nonces.shift()
    },
  }
}

/** The `Replay-Nonce` of any response, or null. RFC 8555 §6.5.1: clients "MUST ignore invalid Replay-Nonce values". */
export function parseReplayNonce(headers: Headers): string | null {
  const nonce = headers.get('replay-nonce')
  return nonce !== null && nonce.length <= MAX_NONCE_CHARS && /^[A-Za-z0-9_-]+$/.test(nonce) ? nonce : null
}
