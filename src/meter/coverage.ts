// What this process sends to hosts that bill for it, held against what was metered: calls that go past the meter are found.

import { areOthersWatching, watchTraffic } from '../patch/traffic.ts'
import type { ProblemReporter } from '../problems.ts'
import { kindOfPath } from '../providers/free-paths.ts'
import type { Found, Routing } from '../providers/index.ts'

/** The billable requests of this process to one host since a meter watches, each try of a call counted; not what `unpatch` or `patches` leave out on purpose. */
export interface HostCoverage {
  readonly provider: string
  readonly seen: number
  /** Of these: sent by calls that some meter of this process has. The rest went past it. */
  readonly metered: number
  /** Beside these: POSTs to paths that are not known to be billed, nor to be free. Absent where there were none. */
  readonly unknown?: number
}

export interface Coverage {
  /** Begins to watch. Of the calls of these SDKs and providers, none may go past the meter; of any where none is named. */
  want(names?: readonly string[]): void
  /** It is meant to go past from now on. */
  leaveOut(name: string): void
  /** Another meter of the process may see the calls instead, and say what went past. */
  yield(): void
  stop(): void
  /** By host; those that were not called are not in it. */
  snapshot(): Record<string, HostCoverage>
}

interface Counts {
  readonly provider: string
  seen: number
  metered: number
  unknown?: number
}

/** Kinds of unknown paths that are told of one host; an application's own gateway may have any number of them. */
const KINDS_TOLD = 10

const HOSTS_REMEMBERED = 1000
const EVERYTHING = '*'

export function createCoverage(find: Routing, problems: ProblemReporter): Coverage {
  /** `null`: a host that serves no models, as most do. */
  const hosts = new Map<string, Counts | null>()
  const unknown = new Map<string, Set<string>>()
  const wanted = new Set<string>()
  const leftOut = new Set<string>()
  let isYielding = false
  let stop: (() => void) | undefined

  function isWanted(provider: string): boolean {
    if (leftOut.has(provider)) return false
    if (wanted.has(provider)) return true
    // Every other host is called with the openai SDK, as a rule.
    const sdk = provider === 'anthropic' || provider === 'google' ? provider : 'openai'
    if (leftOut.has(sdk)) return false
    return wanted.has(sdk) || wanted.has(EVERYTHING) || wanted.has('fetch')
  }

  function countsOf(host: string): Counts | null {
    const known = hosts.get(host)
    if (known !== undefined) return known
    const provider = find.providerOf(host)
    const counts = provider === undefined ? null : { provider, seen: 0, metered: 0 }
    if (hosts.size >= HOSTS_REMEMBERED)
      for (const [name, it] of hosts) if (!it?.seen && !it?.unknown) hosts.delete(name)
    hosts.set(host, counts)
    return counts
  }

  function counterOf(host: string, method: string, path: string): ((isMetered: boolean) => void) | undefined {
    const counts = countsOf(host)
    if (!counts) return undefined
    const plain = withoutQuery(path)
    const found = find('any', method.toLowerCase(), host, plain)
    if (!found && method.toUpperCase() === 'POST' && !find.isFree(host, plain)) noteUnknown(counts, host, plain)
    if (!found || found.route.isFollowUp) return undefined
    return (isMetered) => {
      if (!isMetered && !isWanted(counts.provider)) return
      counts.seen++
      if (isMetered) counts.metered++
      else if (!isYielding || !areOthersWatching()) warn(host, found)
    }
  }

  function noteUnknown(counts: Counts, host: string, path: string): void {
    counts.unknown = (counts.unknown ?? 0) + 1
    if (!isWanted(counts.provider)) return
    const kinds = unknown.get(host) ?? new Set()
    const kind = kindOfPath(path)
    if (kinds.has(kind) || kinds.size >= KINDS_TOLD) return
    unknown.set(host, kinds.add(kind))
    tell(
      `unknown:${host}${kind}`,
      `Requests to ${host}${kind} are not known to tallygate: nothing is recorded of them, and no limit holds them. ` +
        'Report what they cost with `meter.trackManually()`, or say how they are read with `defineProvider()`.',
    )
  }

  function warn(host: string, { route }: Found): void {
    const message =
      route.method === 'socket'
        ? `A WebSocket to ${host} (\`${route.endpoint}\`) is not listened on: nobody is billed for what comes over it, and no limit holds it. ` +
          'Open it with the SDK, or report what it costs with `meter.trackManually()`: docs/surfaces.md of the package names the classes.'
        : `A call of \`${route.endpoint}\` to ${host} went past the meter: nobody is billed for it, and no limit holds it. ` +
          'Some code has a copy of an SDK that is not patched, a client on node:http, or a `fetch` from before it was ' +
          'patched: `npx tallygate doctor` shows the copies, and docs/loading.md of the package says what to do.'
    tell(`coverage:${host}`, message)
  }

  function tell(key: string, message: string): void {
    try {
      problems.report({ kind: 'patch', message }, key)
    } catch {
      // `raiseOnError` would end the process: this stands in a channel of Node, where there is no caller to throw at.
      process.emitWarning(message, { type: 'TallygateWarning', code: 'patch' })
    }
  }

  return {
    want(names = [EVERYTHING]) {
      if (names.includes(EVERYTHING)) leftOut.clear()
      for (const name of names) {
        wanted.add(name)
        leftOut.delete(name)
      }
      stop ??= watchTraffic({
        counterOf(host, method, path) {
          if (hosts.get(host) === null) return undefined
          return problems.guard('internal', 'looking at a request from below', () => counterOf(host, method, path))
        },
      })
    },
    leaveOut(name) {
      wanted.delete(name)
      leftOut.add(name)
    },
    yield() {
      isYielding = true
    },
    stop() {
      wanted.clear()
      stop?.()
      stop = undefined
    },
    snapshot() {
      const called = [...hosts].filter(
        (entry): entry is [string, Counts] =>
          entry[1] !== null && (entry[1].seen > 0 || entry[1].unknown !== undefined),
      )
      return Object.fromEntries(called.map(([host, counts]) => [host, { ...counts }]))
    },
  }
}

function withoutQuery(path: string): string {
  const question = path.indexOf('?')
  return question < 0 ? path : path.slice(0, question)
}
