/**
 * CRLs as they are served, in an object store. A CRL is never overwritten: each number has objects of its own, and the database
 * says which number is current.
 */
import type { Bytes } from '../core/bytes.ts'
import { readBody } from '../core/http-client.ts'

export interface CrlObjects {
  /** `partition` 0 is the CRL for all. DER. */
  put(place: CrlPlace, der: Bytes): Promise<void>
  get(place: CrlPlace): Promise<Bytes | null>
  /** Removes the objects of numbers below that one, but for `kept`: parts that are current under a lower number. */
  removeBelow(
    place: Omit<CrlPlace, 'partition'>,
    kept: readonly Pick<CrlPlace, 'crlNumber' | 'partition'>[],
  ): Promise<void>
  /** Removes objects of a tenant, whichever CA's, as many as a page of the list has; how many. 0: none is left. */
  removePage(tenantId: string): Promise<number>
}

export interface CrlPlace {
  readonly tenantId: string
  readonly caId: string
  readonly crlNumber: number
  readonly partition: number
}

/** A million entries. */
const MAX_CRL_OCTETS = 64 * 1024 * 1024
/** Numbers as text that sorts as they do: 12 digits hold one a second for 30,000 years. */
const NUMBER_DIGITS = 12

const folderOfTenant = (tenantId: string): string => `crl/${tenantId}/`
const folderOf = ({ tenantId, caId }: Pick<CrlPlace, 'tenantId' | 'caId'>): string =>
  `${folderOfTenant(tenantId)}${caId}/`
const numberOf = (crlNumber: number): string => crlNumber.toString().padStart(NUMBER_DIGITS, '0')
const keyOf = (place: CrlPlace): string => `${folderOf(place)}${numberOf(place.crlNumber)}/${place.partition}.crl`

/** Objects of an R2 bucket. */
export function crlObjects(bucket: R2Bucket): CrlObjects {
  return {
    async put(place, der) {
      await bucket.put(keyOf(place), der, { httpMetadata: { contentType: 'application/pkix-crl' } })
    },
    async get(place) {
      const object = await bucket.get(keyOf(place))
      return object === null ? null : readBody(new Response(object.body), MAX_CRL_OCTETS)
    },
    async removeBelow(place, kept) {
      const prefix = folderOf(place)
      const end = prefix + numberOf(place.crlNumber)
      const keptKeys = new Set(kept.map((each) => keyOf({ ...place, ...each })))
      // In the order of their keys: the old ones are at the beginning, and a page of them is enough for every hour.
      const { objects } = await bucket.list({ prefix })
      const old = objects.map(({ key }) => key).filter((key) => key < end && !keptKeys.has(key))
      if (old.length > 0) await bucket.delete(old)
    },
    async removePage(tenantId) {
      const { objects } = await bucket.list({ prefix: folderOfTenant(tenantId) })
      if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key))
      return objects.length
    },
  }
}
