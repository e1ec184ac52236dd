/** Paging by key: rows with an id below `before`, newest first. */

export interface Page {
  /** Rows wanted; callers ask for one more than they show, to know whether there are more. */
  readonly limit: number
  /** The last id of the page before; null at the start. */
  readonly before: string | null
}

/** Sorts above every id. */
export const AFTER_EVERY_ID = '~'
