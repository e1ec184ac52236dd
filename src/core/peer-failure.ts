/** The failure of a peer (a CA, a name server, a DNS provider), sorted by what to do next. Plain data: it crosses RPC. */

export interface PeerFailure {
  /** A code of the API's error table, or one of the order machine. */
  readonly code: string
  /** One plain sentence that says what the peer answered, without secrets. */
  readonly message: string
  /** Worth another try without changing anything? */
  readonly transient: boolean
  /** Epoch milliseconds before which there is no point in trying. */
  readonly retryAtMs: number | null
  /** RFC 8555 §6.7: the last part of the problem's type, where the CA sent one: `orderNotReady`. */
  readonly problemType: string | null
  /** Nothing is wrong: there are many calls, and this one's turn is at `retryAtMs`. */
  readonly isTurn?: boolean
  /** Of the HTTP answer, where a CA gave one. */
  readonly status?: number
}
