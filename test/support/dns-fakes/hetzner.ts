/**
 * The part of Hetzner's Cloud API v1 that is used, as its reference describes it, in memory behind `fetch`. Strict: what
 * the reference does not have is an error of the test. Lists come in small pages, a change is an action that runs for a
 * while, and until it is done the zone is locked.
 */
import type { Fetch } from '../../../src/core/http-client.ts'

export const FAKE_HETZNER = 'https://api.hetzner.example/v1'

export interface FakeHetznerZone {
  readonly name: string
  readonly mode?: 'primary' | 'secondary'
}

export interface FakeHetznerSet {
  readonly zone: string
  /** Within the zone: `@` for itself. */
  readonly name: string
  readonly ttl: number | null
  readonly values: readonly string[]
}

export interface FakeHetzner {
  readonly fetch: Fetch
  sets: FakeHetznerSet[]
  /** How many looks an action takes until it is done; then all later ones fail with this, if any. */
  actionLooks: number
  actionError: string | null
  /** `GET /zones?…`, in order. */
  readonly calls: string[]
  /** Answers the next call so, whatever it is. */
  answerNext(response: Response): void
  /** Runs before every change for as long as it returns true, as somebody else's change would. */
  beforeChange(work: () => boolean): void
}

type Json = Readonly<Record<string, unknown>>

/** The API gives 50; here lists have pages. */
const PAGE_SIZE = 3

export function fakeHetzner(apiToken: string, zones: readonly FakeHetznerZone[]): FakeHetzner {
  let next: Response | null = null
  let before: () => boolean = () => false
  let running: { id: number; zone: string; looks: number } | null = null
  let actions = 0

  const self: FakeHetzner = {
    sets: [],
    actionLooks: 0,
    actionError: null,
    calls: [],
    answerNext: (response) => {
      next = response
    },
    beforeChange: (work) => {
      before = work
    },
    async fetch(address, init = {}) {
      if (!address.startsWith(`${FAKE_HETZNER}/`)) throw new Error(`not this API: ${address}`)
      const path = address.slice(FAKE_HETZNER.length)
      self.calls.push(`${init.method} ${path}`)
      init.signal?.throwIfAborted()
      if (init.redirect !== 'manual') throw new Error('redirects must not be followed')
      const headers = new Headers(init.headers)
      if (headers.get('accept') !== 'application/json') throw new Error('accept: application/json is missing')
      if (next !== null) {
        const response = next
        next = null
        return response
      }
      const token = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1]
      if (token !== apiToken)
        return hetznerFailure(401, 'unauthorized', `the token ${token} you have provided is invalid`)
      const body = typeof init.body === 'string' ? (JSON.parse(init.body) as Json) : null
      if ((body !== null) !== (headers.get('content-type') === 'application/json')) throw new Error('content-type')
      const url = new URL(address)
      return route(`${init.method}`, url.pathname.slice('/v1'.length), url.searchParams, body)
    },
  }

  const route = (method: string, path: string, query: URLSearchParams, body: Json | null): Response => {
    if (method === 'GET' && body !== null) throw new Error('GET with a body')
    if (method === 'GET' && path === '/zones') return listZones(query)
    if ([...query.keys()].length > 0) throw new Error(`the reference has no ${query} here`)
    const actionId = /^\/actions\/(\d+)$/.exec(path)?.[1]
    if (method === 'GET' && actionId !== undefined) return lookAtAction(Number(actionId))
    const [, zoneName, setName, action] =
      /^\/zones\/([^/]+)(?:\/rrsets\/([^/]+)\/TXT(?:\/actions\/(add|remove)_records)?)?$/.exec(path) ?? []
    if (zoneName === undefined) throw new Error(`the reference has no ${method} ${path}`)
    const zone = zones.find(({ name }) => name === zoneName)
    if (zone === undefined) return hetznerFailure(404, 'not_found', `zone ${zoneName} not found`)
    if (method === 'GET' && setName === undefined) return Response.json({ zone: shownZone(zone) })
    const name = decodeURIComponent(setName ?? '')
    // "must not end with a dot or the Zone name"; the apex is @.
    if (!/^(?:@|[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*)$/.test(name) || name.endsWith(zone.name))
      throw new Error(`name ${name}`)
    const set = self.sets.find((each) => each.zone === zone.name && each.name === name)
    if (method === 'GET' && action === undefined) {
      return set === undefined ? hetznerFailure(404, 'not_found', 'rrset not found') : Response.json(shownSet(set))
    }
    if (method === 'POST' && action !== undefined) return change(zone, name, action, body ?? {})
    throw new Error(`the reference has no ${method} ${path}`)
  }

  const listZones = (query: URLSearchParams): Response => {
    const strange = [...query.keys()].find((name) => !['name', 'mode', 'page', 'per_page'].includes(name))
    if (strange !== undefined) throw new Error(`the reference has no parameter ${strange} here`)
    if (Number(query.get('per_page')) > 50) return hetznerFailure(400, 'invalid_input', 'per_page')
    const found = zones.filter(({ mode }) => (mode ?? 'primary') === (query.get('mode') ?? mode ?? 'primary'))
    const page = Number(query.get('page') ?? 1)
    const lastPage = Math.max(1, Math.ceil(found.length / PAGE_SIZE))
    const pagination = {
      page,
      per_page: PAGE_SIZE,
      previous_page: page > 1 ? page - 1 : null,
      next_page: page < lastPage ? page + 1 : null,
      last_page: lastPage,
      total_entries: found.length,
    }
    return Response.json({
      zones: found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE).map(shownZone),
      meta: { pagination },
    })
  }

  const change = (zone: FakeHetznerZone, name: string, kind: string, body: Json): Response => {
    if (!before()) before = () => false
    if (zone.mode === 'secondary') return hetznerFailure(422, 'incorrect_zone_mode', 'not supported for this mode')
    if (running?.zone === zone.name) return hetznerFailure(423, 'locked', 'there is an action running')
    const strange = Object.keys(body).find((field) => !['records', ...(kind === 'add' ? ['ttl'] : [])].includes(field))
    if (strange !== undefined) throw new Error(`the reference has no field ${strange} here`)
    const records = body.records as readonly Json[]
    const values = records.map(({ value, ...rest }) => {
      if (Object.keys(rest).length > 0) throw new Error(`fields ${Object.keys(rest)}`)
      if (!/^"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*$/.test(String(value))) throw new Error(`not quoted: ${value}`)
      return String(value)
    })
    const set = self.sets.find((each) => each.zone === zone.name && each.name === name)
    const others = self.sets.filter((each) => each !== set)
    const ttl = (body.ttl as number | undefined) ?? null
    if (ttl !== null && (ttl < 60 || (set !== undefined && set.ttl !== ttl))) {
      return hetznerFailure(422, 'invalid_input', `ttl ${ttl}`)
    }
    if (kind === 'add') {
      if (values.some((value) => set?.values.includes(value))) {
        return hetznerFailure(409, 'uniqueness_error', 'one or more records exist already')
      }
      const merged = [...(set?.values ?? []), ...values]
      self.sets = [...others, { zone: zone.name, name, ttl: set?.ttl ?? ttl, values: merged }]
    } else {
      if (set === undefined) return hetznerFailure(404, 'not_found', 'rrset not found')
      if (values.some((value) => !set.values.includes(value))) {
        return hetznerFailure(404, 'not_found', 'one or more records do not exist')
      }
      const left = set.values.filter((value) => !values.includes(value))
      // "If the RRSet doesn't contain any records, it will automatically be deleted."
      self.sets = left.length === 0 ? others : [...others, { ...set, values: left }]
    }
    actions += 1
    running = self.actionLooks === 0 ? null : { id: actions, zone: zone.name, looks: self.actionLooks }
    return Response.json({ action: shownAction(actions) }, { status: 201 })
  }

  const lookAtAction = (id: number): Response => {
    if (running?.id === id) {
      running.looks -= 1
      if (running.looks === 0) running = null
    }
    return Response.json({ action: shownAction(id) })
  }

  const shownAction = (id: number): Json => {
    const isRunning = running?.id === id
    const failed = !isRunning && self.actionError !== null
    const error = failed ? { code: 'action_failed', message: self.actionError } : null
    return {
      id,
      command: 'add_rrset_records',
      status: isRunning ? 'running' : failed ? 'error' : 'success',
      progress: isRunning ? 50 : 100,
      started: '2026-11-20T12:00:00Z',
      finished: null,
      resources: [{ id: 42, type: 'zone' }],
      error,
    }
  }

  return self
}

function shownZone({ name, mode }: FakeHetznerZone): Json {
  return { id: 42, name, mode: mode ?? 'primary', ttl: 86400, status: 'ok', record_count: 0 }
}

function shownSet({ name, ttl, values }: FakeHetznerSet): Json {
  const records = values.map((value) => ({ value, comment: 'kept' }))
  return {
    rrset: { id: `${name}/TXT`, name, type: 'TXT', ttl, labels: {}, protection: { change: false }, records, zone: 42 },
  }
}

/** As the API writes errors. */
export function hetznerFailure(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error: { code, message, details: null } }, { status, headers })
}
