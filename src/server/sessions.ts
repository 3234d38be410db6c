// Who is signed in to the dashboard: a random id in a cookie that no script can read, and behind it a caller, in memory.

import { createHash, randomBytes } from 'node:crypto'
import type { Caller } from './keys.ts'

export interface Sessions {
  /** The header `Set-Cookie` of a new session. */
  open(caller: Caller, isSecure: boolean): string
  callerOf(cookies: string | null): Caller | undefined
  /** Ends a session; gives the header that takes the cookie away. */
  close(cookies: string | null): string
}

const NAME = 'tallygate_session'
const HOURS = 12
const LASTS_MS = HOURS * 3_600_000
const MOST_SESSIONS = 1000
const ID = /^[\w-]{43}$/
/** `Strict`: the cookie comes along from the dashboard's own pages alone. */
const RULES = 'Path=/; HttpOnly; SameSite=Strict'

export function createSessions(now: () => number): Sessions {
  /** By the digest of the id, so that looking one up takes a time that tells nothing of the others. The oldest is first. */
  const open = new Map<string, { readonly caller: Caller; readonly endsAt: number }>()

  return {
    open(caller, isSecure) {
      const id = randomBytes(32).toString('base64url')
      for (const [key, { endsAt }] of open) {
        if (endsAt > now() && open.size < MOST_SESSIONS) break
        open.delete(key)
      }
      open.set(digestOf(id), { caller, endsAt: now() + LASTS_MS })
      return `${NAME}=${id}; ${RULES}; Max-Age=${HOURS * 3600}${isSecure ? '; Secure' : ''}`
    },
    callerOf(cookies) {
      const id = idIn(cookies)
      const session = id === undefined ? undefined : open.get(digestOf(id))
      return session !== undefined && session.endsAt > now() ? session.caller : undefined
    },
    close(cookies) {
      const id = idIn(cookies)
      if (id !== undefined) open.delete(digestOf(id))
      return `${NAME}=; ${RULES}; Max-Age=0`
    },
  }
}

function idIn(cookies: string | null): string | undefined {
  for (const pair of cookies?.split(';') ?? []) {
    const [name = '', value = ''] = pair.trim().split('=')
    if (name === NAME && ID.test(value)) return value
  }
  return undefined
}

function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('base64')
}

/**
 * Whether a request that brings a cookie comes from a page of this very server: ports of one host share their cookies,
 * and are one site to `SameSite`. `Sec-Fetch-Site` is of every browser since 2023; where it is missing, the `Origin` that a
 * browser sends with everything that changes something has to be this host.
 */
export function isOwnPage({ method, headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  // `none`: typed into the address bar, or a download that was opened from there.
  if (site !== null) return site === 'same-origin' || (site === 'none' && method === 'GET')
  if (method === 'GET' || method === 'HEAD') return true
  const origin = headers.get('origin')
  return origin !== null && URL.canParse(origin) && new URL(origin).host === headers.get('host')
}
