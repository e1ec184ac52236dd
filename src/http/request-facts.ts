/** What handlers may look at of the request besides its path, query and body. */
export interface RequestFacts {
  readonly id: string
  readonly method: string
  readonly url: URL
  readonly headers: Headers
}
