/**
 * Plans: how many certificates from public CAs a tenant may have, and which kinds. The ones here are there in every deployment;
 * its setting `PLANS` adds others, and changes these. Which plan a tenant has, and what that means for an order: plan-limits.ts.
 */
import { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'

export interface Plan {
  readonly name: string
  /** Certificates from public CAs at a time, with first orders under way. Null: any number. 0: none can be ordered at all. */
  readonly maxCertificates: number | null
  readonly wildcard: boolean
  /** May its certificates be renewed at their owner's request? */
  readonly manualRenewal: boolean
  /** May its certificates be set to renew by themselves? */
  readonly autoRenew: boolean
}

export type Plans = ReadonlyMap<string, Plan>

const plan = (
  name: string,
  maxCertificates: number | null,
  [wildcard, manualRenewal, autoRenew]: readonly [boolean, boolean, boolean],
): Plan => ({ name, maxCertificates, wildcard, manualRenewal, autoRenew })

const SHIPPED: readonly Plan[] = [
  //            certificates   wildcard, manual, automatic renewal
  plan('free', 0, [false, false, false]),
  plan('plus', 5, [false, true, false]),
  plan('pro', 25, [false, true, true]),
  plan('elite', 100, [true, true, true]),
  plan('unlimited', null, [true, true, true]),
]

/** The plans that are there without a setting, by name. */
export const SHIPPED_PLANS: Plans = new Map(SHIPPED.map((each) => [each.name, each]))

/** A plan as the setting writes it. What is left out of a plan of a shipped name stays as shipped; of another, it is not allowed. */
const planSetting = z.strictObject({
  max_certificates: z.number().int().min(0).max(1_000_000).nullable().optional(),
  wildcard: z.boolean().optional(),
  manual_renewal: z.boolean().optional(),
  auto_renew: z.boolean().optional(),
})

const plansSetting = z.record(
  z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'is no name of a plan: use a-z, 0-9 and -, up to 32 characters'),
  planSetting,
)

/**
 * The plans of a deployment: those that are shipped, with what the setting adds or changes:
 * `{"team": {"max_certificates": 50, "manual_renewal": true, "auto_renew": true}, "plus": {"max_certificates": 10}}`. The error is a sentence
 * that says where the setting is wrong; it holds nothing of its values.
 */
export function parsePlans(setting: string): Result<Plans, string> {
  if (setting.trim() === '') return ok(SHIPPED_PLANS)
  let json: unknown
  try {
    json = JSON.parse(setting)
  } catch {
    // The message of a SyntaxError quotes the text.
    return err('PLANS is not JSON: give an object such as {"team": {"max_certificates": 50, "auto_renew": true}}')
  }
  const parsed = plansSetting.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = ['PLANS', ...(issue?.path ?? []).slice(1)].map(String).join('.')
    return err(`${where}: ${issueSentence(issue)}`)
  }
  const plans = new Map(SHIPPED_PLANS)
  for (const [name, given] of Object.entries(parsed.data)) {
    const base = SHIPPED_PLANS.get(name)
    if (base === undefined && given.max_certificates === undefined) {
      return err('PLANS: a plan of a new name says its max_certificates: a number, or null for any number')
    }
    plans.set(name, {
      name,
      maxCertificates: given.max_certificates === undefined ? (base?.maxCertificates ?? 0) : given.max_certificates,
      wildcard: given.wildcard ?? base?.wildcard ?? false,
      manualRenewal: given.manual_renewal ?? base?.manualRenewal ?? false,
      autoRenew: given.auto_renew ?? base?.autoRenew ?? false,
    })
  }
  return ok(plans)
}

/** Without the value, which a setting may have by mistake from somewhere else. */
function issueSentence(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'unrecognized_keys') {
    return 'a plan has max_certificates, wildcard, manual_renewal and auto_renew, and nothing else'
  }
  if (issue?.code === 'invalid_key') return 'the name of a plan has a-z, 0-9 and -, up to 32 characters'
  return issue?.message ?? 'is not what a plan can be'
}

/** How far certificates are counted where a plan includes any number, or fewer than that. */
const USUAL_COUNT = 10_000

/** How far the certificates of a tenant are counted: one more than its plan includes, and than is usual. */
export const countedTo = ({ maxCertificates }: Plan): number => Math.max(maxCertificates ?? 0, USUAL_COUNT) + 1

/** The plan of that name. One that the deployment no longer has allows nothing new, but what there is can be renewed. */
export function planOf(plans: Plans, name: string): Plan {
  return plans.get(name) ?? { name, maxCertificates: 0, wildcard: false, manualRenewal: true, autoRenew: false }
}
