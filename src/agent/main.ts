#!/usr/bin/env node
/** The companion: runs on a host beside the server that needs the certificate. `certwright --help` says what it does. */
import { ApiError } from './api.ts'
import { HELP, parseArguments, UsageError } from './arguments.ts'
import { fetchOnce } from './fetch-certificate.ts'
import { issue } from './issue.ts'
import { respond } from './respond.ts'
import { watch } from './watch.ts'

const say = (line: string): void => console.info(printable(line))
const complain = (line: string): void => console.error(`certwright: ${printable(line)}`)

/** What the service says may end up in a terminal, which would obey control characters. */
const printable = (line: string): string => line.replace(/[\p{Cc}\p{Cs}]+/gu, ' ')

/** 0: done, or stopped where that is the end of it. 1: it did not work, or was stopped before it was done. 2: called in a way that makes no sense. */
async function main(): Promise<number> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  try {
    const command = parseArguments(process.argv.slice(2), process.env, stop.signal)
    switch (command.name) {
      case 'help':
        for (const line of HELP.split('\n')) say(line)
        return 0
      case 'fetch':
        await fetchOnce(command, say, stop.signal)
        return 0
      case 'watch':
        await watch(command, say, complain, stop.signal)
        return 0
      case 'issue':
        await issue(command, say, stop.signal)
        return 0
      case 'respond':
        await respond(command, say, complain, stop.signal)
        return 0
    }
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error))
    if (error instanceof UsageError) console.error('certwright --help says how it is called')
    if (error instanceof ApiError && error.requestId !== null) console.error(printable(`request ${error.requestId}`))
    return error instanceof UsageError ? 2 : 1
  }
}

process.exitCode = await main()
