// `/v1/session`: a key for a cookie, and how often a wrong one may be tried.

import { MeterError } from '../errors.ts'
import { answer, refusal, wrongMethod } from './answer.ts'
import { readJson } from './body.ts'
import { type Caller, createKeyring, type Keyring } from './keys.ts'
import { addressOf } from './request.ts'
import { isOwnPage, type Sessions } from './sessions.ts'

export interface SignInOptions {
  readonly keyring: Keyring
  readonly sessions: Sessions
  readonly now: () => number
  /** Opens one session, for whoever has it from the terminal. */
  readonly oneTimeToken?: string | undefined
}

const MAX_BYTES = 4096
/** Wrong keys from one address, and from all together, of which each is forgiven after a while. */
const MOST_WRONG = 10
const MOST_WRONG_IN_ALL = 100
const FORGIVEN_AFTER_MS = 60_000
const ALL = ''

export function createSignIn(options: SignInOptions): (request: Request) => Promise<Response> {
  const { keyring, sessions, now } = options
  const wrong = createTries(now)
  let once = options.oneTimeToken === undefined ? undefined : createKeyring([options.oneTimeToken])

  function callerWith(key: string): Caller | undefined {
    const caller = once?.callerWith(key)
    if (caller === undefined) return keyring.callerWith(key)
    once = undefined
    return caller
  }

  async function signIn(request: Request): Promise<Response> {
    if (!isOwnPage(request)) return refusal(403, 'Keys are taken from the page of this server alone.')
    const address = addressOf(request)
    const wait = Math.max(wrong.wait(address, MOST_WRONG), wrong.wait(ALL, MOST_WRONG_IN_ALL))
    if (wait > 0) {
      const seconds = Math.ceil(wait / 1000)
      return refusal(429, `Too many wrong keys: try again in ${seconds} s.`, { 'retry-after': String(seconds) })
    }
    const body = await readJson(request, MAX_BYTES)
    if (body instanceof Response) return body
    const key = (body.value as { key?: unknown } | null)?.key
    if (typeof key !== 'string') throw new MeterError('BAD_INPUT', 'Expected `key` to be a text.')
    const caller = callerWith(key)
    if (caller === undefined) {
      wrong.add(address)
      wrong.add(ALL)
      return refusal(401, 'This key is not one of this server.')
    }
    if (caller.role === 'ingest')
      return refusal(403, 'This key is for sending events: the dashboard needs one to read.')
    if (caller.tenant !== undefined)
      return refusal(403, 'This key is for `GET /v1/usage` of one tenant, and opens no dashboard.')
    // Behind a proxy with TLS; whoever lies about it loses their own cookie only.
    const isSecure = request.headers.get('x-forwarded-proto') === 'https'
    return answer(200, who(caller), { 'set-cookie': sessions.open(caller, isSecure) })
  }

  return async (request) => {
    const { method, headers } = request
    if (method === 'POST') return signIn(request)
    if (method === 'GET') {
      const caller = sessions.callerOf(headers.get('cookie'))
      return caller === undefined ? refusal(401, 'Nobody is signed in.') : answer(200, who(caller))
    }
    if (method !== 'DELETE') return wrongMethod('GET, POST, DELETE')
    if (!isOwnPage(request)) return refusal(403, 'This is for the page of this server alone.')
    return answer(200, { ok: true }, { 'set-cookie': sessions.close(headers.get('cookie')) })
  }
}

function who({ role, project }: Caller) {
  return { role, project: project ?? null }
}

const ADDRESSES_REMEMBERED = 1000

/** Tries that went wrong, each forgotten after a minute. */
function createTries(now: () => number) {
  const tries = new Map<string, number[]>()
  const fresh = (name: string) => (tries.get(name) ?? []).filter((at) => now() - at < FORGIVEN_AFTER_MS)
  return {
    add(name: string): void {
      const list = [...fresh(name), now()]
      tries.delete(name)
      if (tries.size >= ADDRESSES_REMEMBERED) tries.delete(tries.keys().next().value!)
      tries.set(name, list)
    },
    /** Milliseconds until another one may be made. */
    wait(name: string, most: number): number {
      const list = fresh(name)
      return list.length < most ? 0 : Math.max(1, list[list.length - most]! + FORGIVEN_AFTER_MS - now())
    },
  }
}
