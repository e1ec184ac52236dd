/** What `/readyz` says, for whoever starts the service on one machine. Asks nothing itself. */

export interface Readiness {
  /** Certificates of the internal PKI apart: who starts the service on one machine may have no address that others can reach. */
  readonly isReady: boolean
  readonly lacksPublicUrl: boolean
}

/** An answer that is not one of `/readyz` is of a service that is not ready. */
export function readReadiness(status: number, body: string): Readiness {
  const checks = checksOf(body)
  const lacksPublicUrl = checks?.public_url === 'failed'
  const wrong = Object.entries(checks ?? {}).filter(([, found]) => found === 'failed' || found === 'missing')
  const isReady = status === 200 || (lacksPublicUrl && wrong.length === 1)
  return { isReady, lacksPublicUrl }
}

function checksOf(body: string): Readonly<Record<string, unknown>> | null {
  try {
    const { checks } = JSON.parse(body) as { readonly checks?: unknown }
    return typeof checks === 'object' && checks !== null ? (checks as Readonly<Record<string, unknown>>) : null
  } catch {
    return null
  }
}
