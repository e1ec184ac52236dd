/** The companion for hosts: one file, and what `sha256sum` checks it against. Both are made with the Worker itself. */
import { checksums, script } from '#agent-files'
import { raw } from '../answer.ts'
import { definePublicRoute, type Route } from '../define-route.ts'

const PUBLIC = { public: 'it is the same file for everybody, and hosts fetch it before they have a token' }
/** It changes with a deployment. A proxy that changed a byte of it would make the checksum wrong. */
const CACHED = { 'cache-control': 'public, max-age=300, no-transform' }

const program = definePublicRoute({
  method: 'get',
  path: '/agent/certwright.mjs',
  tag: 'Service',
  summary: 'The companion, which runs on hosts',
  description:
    'One file for Node 20 or later, with nothing to install: `node certwright.mjs --help`. It keeps a certificate of ' +
    'this service current beside the server that uses it, and answers challenges on the ports of the host.',
  access: PUBLIC,
  responses: { 200: { description: 'An ES module', mediaTypes: ['text/javascript'] } },
  handler: () => raw(200, 'text/javascript; charset=utf-8', script, CACHED),
})

const sums = definePublicRoute({
  method: 'get',
  path: '/agent/checksums.txt',
  tag: 'Service',
  summary: 'SHA-256 of every file under /agent/',
  description: 'As `sha256sum -c` reads it.',
  access: PUBLIC,
  responses: { 200: { description: 'A line for each file', mediaTypes: ['text/plain'] } },
  handler: () => raw(200, 'text/plain; charset=utf-8', checksums, CACHED),
})

export const agentRoutes: readonly Route[] = [program, sums]
