/**
 * Which key ring and which admin token a deployment gets. A ring that is set at Cloudflare is never replaced: what is sealed
 * under a lost ring is lost. Sets nothing at Cloudflare itself; see upload in steps.ts.
 */
import { createHash } from 'node:crypto'
import { keyIdsOf, newAdminToken, newKeyRingEntry } from '../dev-vars.ts'
import type { RemoteDatabase } from './database.ts'
import { DeployError } from './deploy-error.ts'
import { keep, readKept, type Secrets } from './kept-secrets.ts'

export interface SecretsFound {
  /** Names of the secrets that the Worker has. */
  readonly set: ReadonlySet<string>
  /** What the environment gives: a build of the repository has no disk that stays. */
  readonly given: Secrets
  readonly keptPath: string
  /** False in CI: what is made there would be gone with the machine, and its log is no place for a token. */
  readonly mayMake: boolean
  /** The one who deploys has said that the ring which another deployment made is lost. */
  readonly replacesClaim: boolean
  readonly now: Date
}

/** The secrets to set with the upload: none that the Worker has already. They are on this machine's disk, or were given. */
export async function chooseSecrets(found: SecretsFound, database: RemoteDatabase): Promise<Secrets> {
  const ring = found.set.has('KEY_RING') ? null : await chooseRing(found, database)
  const adminToken = found.set.has('ADMIN_TOKEN') ? null : await chooseAdminToken(found, database)
  return { ...(ring === null ? {} : { KEY_RING: ring }), ...(adminToken === null ? {} : { ADMIN_TOKEN: adminToken }) }
}

/** Throws where it is known before anything is made that there is no ring to set. */
export function checkRing(found: SecretsFound): void {
  if (!found.set.has('KEY_RING')) readRing(found)
}

async function chooseRing(found: SecretsFound, database: RemoteDatabase): Promise<string> {
  const ring = readRing(found)
  const used = await database.sealingKeyIds()
  const missing = used.filter((id) => !ring.keyIds.includes(id))
  if (missing.length > 0) {
    throw new DeployError(
      `The database holds values that are sealed under ${missing.join(', ')}, and the Worker has no KEY_RING. ` +
        `Put the ring with ${missing.length === 1 ? 'that key' : 'those keys'} into ${found.keptPath} as KEY_RING="…", and deploy again. ` +
        'Under another ring they could never be opened.',
    )
  }
  const kept = found.mayMake ? keep(found.keptPath, { KEY_RING: ring.text }).KEY_RING : ring.text
  if (kept === undefined) throw new DeployError(`${found.keptPath} could not be written`)
  // A ring that opens what is there already is the right one, whatever another deployment was about to set.
  await claim(database, kept, found, found.replacesClaim || used.length > 0)
  return kept
}

interface RingText {
  readonly text: string
  readonly keyIds: readonly string[]
}

function readRing({ given, keptPath, mayMake, now }: SecretsFound): RingText {
  const kept = readKept(keptPath).KEY_RING
  if (kept !== undefined && given.KEY_RING !== undefined && kept !== given.KEY_RING) {
    throw new DeployError(`KEY_RING of the environment is not the ring in ${keptPath}: take one of them away`)
  }
  const text = given.KEY_RING ?? kept ?? (mayMake ? newKeyRingEntry(now) : null)
  if (text === null) {
    throw new DeployError(
      'The Worker has no KEY_RING, and none is made in CI, where it would be lost with the machine. ' +
        '`npm run keyring:new` prints one: keep a copy, and give it as a secret KEY_RING to the Worker or to this build.',
    )
  }
  const keyIds = keyIdsOf(text)
  if (keyIds === null) {
    const where = given.KEY_RING === undefined ? keptPath : 'the environment'
    throw new DeployError(
      `KEY_RING of ${where} is not a ring: id:key, several joined by commas, as npm run keyring:new prints`,
    )
  }
  return { text, keyIds }
}

/**
 * Two deployments at once see no ring, and each has one of its own. Cloudflare sets a secret whatever was there; the database
 * decides which of them it is.
 */
async function claim(database: RemoteDatabase, ring: string, found: SecretsFound, isSure: boolean): Promise<void> {
  const fingerprint = createHash('sha256').update(ring).digest('hex')
  if (isSure) return database.noteAnew('key_ring', fingerprint)
  if ((await database.noteFirst('key_ring', fingerprint)) === fingerprint) return
  throw new DeployError(
    'Another deployment has made a key ring for this database and not set it yet. Wait for its end and deploy again; where it was ' +
      'broken off, deploy again where it ran. Is its ring lost? Then `npm run deploy -- --new-key-ring` goes on with ' +
      `${found.given.KEY_RING === undefined ? `the one in ${found.keptPath}` : 'the one of the environment'}.`,
  )
}

/** Null where none is wanted: it is there to make others with, and once there are some, whoever has deleted it meant it. */
async function chooseAdminToken(found: SecretsFound, database: RemoteDatabase): Promise<string | null> {
  if (await database.hasTokens()) return null
  const { given, keptPath, mayMake } = found
  return given.ADMIN_TOKEN ?? (mayMake ? (keep(keptPath, { ADMIN_TOKEN: newAdminToken() }).ADMIN_TOKEN ?? null) : null)
}
