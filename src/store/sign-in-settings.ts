/** How an issuer's tokens are verified and what they grant, as its row holds it. What it means: access/sign-in/. */
import { z } from 'zod'
import { strings } from './stored-json.ts'

/** A public key (RFC 7517 §4), with what verifying needs of it and nothing private. */
export const publicJwkSchema = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().exactOptional(),
  alg: z.string().exactOptional(),
  n: z.string().exactOptional(),
  e: z.string().exactOptional(),
  crv: z.string().exactOptional(),
  x: z.string().exactOptional(),
  y: z.string().exactOptional(),
})

export type PublicJwk = Readonly<z.output<typeof publicJwkSchema>>

const mapping = z.strictObject({
  /** Path of a claim → globs, one of which its value has to match. All of them have to. */
  match: z.record(z.string(), strings).readonly(),
  scopes: strings,
  /** Globs over resources, which may have claims to be filled in; null: no limit. */
  paths: strings.nullable(),
})

export type SignInMapping = Readonly<z.output<typeof mapping>>

export const signInSettingsSchema = z.strictObject({
  /** Where the keys come from. */
  keys: z.discriminatedUnion('from', [
    z.strictObject({ from: z.literal('discovery') }).readonly(),
    z.strictObject({ from: z.literal('url'), url: z.string() }).readonly(),
    z.strictObject({ from: z.literal('inline'), keys: z.array(publicJwkSchema).readonly() }).readonly(),
  ]),
  /** Of JWS: asymmetric ones alone. */
  algorithms: strings,
  /** Beside the tenant's own. */
  audiences: strings,
  clockToleranceSeconds: z.number(),
  /** How long ago a token may have been issued; null: not looked at. */
  maxTokenAgeSeconds: z.number().nullable(),
  /** How far ahead a token's end may lie. */
  maxTokenLifetimeSeconds: z.number(),
  requireJti: z.boolean(),
  /** Its tokens come in the header of Cloudflare Access, and in no other way. */
  accessApplication: z.boolean(),
  /** The first that matches counts. */
  mappings: z.array(mapping).readonly(),
})

export type SignInSettings = Readonly<z.output<typeof signInSettingsSchema>>
