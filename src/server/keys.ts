// Which API keys open the door and what each is for, compared so that the time it takes tells nothing.

import { createHash, timingSafeEqual } from 'node:crypto'
import { MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import { tenantIdFault } from '../tenant.ts'
import { MAX_TEXT_LENGTH } from '../wire-fields.ts'

/**
 * What a key opens. `ingest`: what applications do, which is to send events and to hold and set limits. `read`: to look at
 * what the ledger says. `admin`: both, and the trail of changes.
 */
export const ROLES = ['ingest', 'read', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** A key by itself, or by its digest where the key shall stand nowhere: `printf %s "$KEY" | sha256sum`. */
export type ApiKey = ({ readonly key: string } | { readonly sha256: string }) & {
  /** Events that come in under it are of this project, and nothing else is seen under it. Left out, of whichever they name. */
  readonly project?: string | undefined
  /** `admin` where it is left out. */
  readonly role?: Role | undefined
  /** With `role: 'read'`: it opens `GET /v1/usage` and `GET /v1/invoice` of this tenant and nothing else. */
  readonly tenant?: string | undefined
}

/** Who has come in by a key. */
export interface Caller {
  readonly project: string | undefined
  readonly role: Role
  readonly tenant: string | undefined
  /** Names the key in the trail of changes without telling anything of it: the first digits of its digest's digest. */
  readonly name: string
}

/** Whether a caller may do what a role may. A key that is bound to a tenant opens that tenant's own page and nothing else. */
export function mayDo({ role, tenant }: Caller, wanted: 'ingest' | 'read' | 'admin'): boolean {
  return tenant === undefined && (role === 'admin' || role === wanted)
}

export interface Keyring {
  /** Who a header `Authorization` speaks for. */
  callerOf(authorization: string | null): Caller | undefined
  /** Who a key speaks for. */
  callerWith(key: string): Caller | undefined
  /** Everybody who has a key. */
  readonly callers: readonly Caller[]
}

const BEARER = /^Bearer +(\S+)$/i
const DIGEST = /^[0-9a-f]{64}$/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const CONTROL = /[\u0000-\u001f\u007f]/

interface Known {
  readonly digest: Buffer
  readonly caller: Caller
}

/** Throws a `MeterError` that says which key is wrong by its place: never a word of it. */
export function checkKeys(keys: readonly (string | ApiKey)[]): readonly Known[] {
  if (!Array.isArray(keys) || keys.length === 0)
    throw new MeterError('BAD_OPTION', 'Expected `apiKeys` to be a list of at least one key.')
  const known = keys.map((key, at) => {
    const digest = digestIn(key, at)
    return { digest, caller: { ...rightsIn(key, at), name: nameOf(digest) } }
  })
  for (const [at, { digest, caller }] of known.entries()) {
    const before = known.findIndex((other) => other.digest.equals(digest))
    const other = known[before]!.caller
    const what = other.project === caller.project ? 'has two roles' : 'is for two projects'
    if (other.project !== caller.project || other.role !== caller.role || other.tenant !== caller.tenant)
      throw new MeterError('BAD_OPTION', `One key ${what} in \`apiKeys\`: the keys ${before + 1} and ${at + 1}.`)
  }
  return known
}

export function createKeyring(keys: readonly (string | ApiKey)[]): Keyring {
  const known = checkKeys(keys)
  function callerWith(key: string): Caller | undefined {
    const offered = sha256(key)
    let found: Caller | undefined
    // Digests have one length, as the comparison wants; every one is looked at, whichever fits.
    for (const { digest, caller } of known) if (timingSafeEqual(digest, offered)) found = caller
    return found
  }

  return {
    callerWith,
    callers: known.map(({ caller }) => caller),
    callerOf(authorization) {
      const key = BEARER.exec(authorization ?? '')?.[1]
      return key === undefined ? undefined : callerWith(key)
    },
  }
}

/**
 * An event as it is counted for whoever sent it, or why it is not: what names no project gets that of the key, and what
 * names another is refused. To rewrite it would put one project's money into another's books without a word.
 */
export function eventOf(event: LLMEvent, caller: Pick<Caller, 'project'>): LLMEvent | string {
  const { project } = caller
  if (project === undefined || event.project === project) return event
  return projectFault(event.project, caller) ?? { ...event, project }
}

/** Why an event that names this project, or none, is not counted for whoever sent it. */
export function projectFault(
  named: string | null | undefined,
  { project }: Pick<Caller, 'project'>,
): string | undefined {
  if (project === undefined || !named || named === project) return undefined
  return 'Its `project` is another than that of the API key.'
}

function digestIn(key: unknown, at: number): Buffer {
  if (typeof key === 'string') return digestOfKey(key, at)
  const { key: plain, sha256: digest } = (key ?? {}) as { key?: unknown; sha256?: unknown }
  if (plain !== undefined && digest !== undefined) throw wrong(at, 'has both a `key` and a `sha256`: one is enough')
  if (plain !== undefined) return digestOfKey(plain, at)
  if (typeof digest === 'string' && DIGEST.test(digest)) return Buffer.from(digest, 'hex')
  throw wrong(at, digest === undefined ? 'has no `key`' : 'has a `sha256` that is not 64 hexadecimal digits')
}

function digestOfKey(key: unknown, at: number): Buffer {
  // What no header can hold would be a door that never opens.
  if (typeof key === 'string' && /^[\x21-\x7e]+$/.test(key)) return sha256(key)
  throw wrong(at, 'is not a string of visible ASCII characters without spaces')
}

function rightsIn(key: unknown, at: number): Pick<Caller, 'project' | 'role' | 'tenant'> {
  const { project, role = 'admin', tenant } = (typeof key === 'object' ? key : {}) as Record<string, unknown>
  if (!ROLES.includes(role as Role)) throw wrong(at, `has a \`role\` that is not one of ${ROLES.join(', ')}`)
  const fault = tenant === undefined ? undefined : tenantIdFault(tenant)
  if (fault !== undefined) throw wrong(at, 'has a `tenant` that no tenant can have for its id')
  if (tenant !== undefined && role !== 'read')
    throw wrong(at, "has a `tenant`, which is for keys with `role: 'read'` alone")
  return { project: nameIn(project, at), role: role as Role, tenant: tenant as string | undefined }
}

function nameIn(project: unknown, at: number): string | undefined {
  if (project === undefined) return undefined
  const isName = typeof project === 'string' && project !== '' && project.length <= MAX_TEXT_LENGTH
  if (isName && !CONTROL.test(project)) return project
  throw wrong(at, `has a \`project\` that is not a text of 1 to ${MAX_TEXT_LENGTH} characters`)
}

/** Of the digest, so that it can be written down: nobody comes in with it. */
function nameOf(digest: Buffer): string {
  return createHash('sha256').update(digest).digest('hex').slice(0, 8)
}

function wrong(at: number, what: string): MeterError {
  return new MeterError('BAD_OPTION', `Key ${at + 1} of \`apiKeys\` ${what}.`)
}

function sha256(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
