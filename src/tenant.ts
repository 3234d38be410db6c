// Who pays: the tenant and the attribution of the running code, carried by AsyncLocalStorage.

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { expected, MeterError } from './errors.ts'
import type { TagValue } from './event.ts'

/** What a call is counted under besides its tenant; each is a field of the event and a column of the ledger. */
export interface Attribution {
  readonly userId?: string | undefined
  readonly sessionId?: string | undefined
  readonly feature?: string | undefined
  readonly team?: string | undefined
  readonly project?: string | undefined
  readonly costCenter?: string | undefined
  /** Joins the events of one agent run or request. */
  readonly operationId?: string | undefined
  readonly tags?: Readonly<Record<string, TagValue>> | undefined
}

const ATTRIBUTION_FIELDS = [
  'userId',
  'sessionId',
  'feature',
  'team',
  'project',
  'costCenter',
  'operationId',
  'tags',
] as const satisfies (keyof Attribution)[]

/**
 * The tenant is a cell, shared by the scopes inside a request or a `forTenant`, so that `setTenant` holds for the rest
 * of it (see `perRequest`). A cell that `setTenant` itself made, outside of both, belongs to one async task: jobs that a
 * worker runs at once each get their own.
 */
interface Scope {
  readonly payer: Cell
  readonly attribution: Attribution
}

interface Cell {
  tenantId: string | undefined
  /** Labels that were given with the tenant; those of the scope come over them. */
  labels: Attribution
  readonly isShared: boolean
}

/** The tenant and attribution at one moment, for an event. */
export interface Payer {
  readonly tenantId: string | undefined
  readonly attribution: Attribution
}

interface Shared {
  readonly scopes: AsyncLocalStorage<Scope>
  perRequest: boolean
}

const NOBODY: Attribution = Object.freeze({})

// One storage for every copy of this package in the process: Next.js loads a library twice, and ESM and CJS are two copies.
const KEY = Symbol.for('tallygate.tenants')
const registry = globalThis as { [KEY]?: Shared }
const shared: Shared = (registry[KEY] ??= { scopes: new AsyncLocalStorage<Scope>(), perRequest: false })
const { scopes } = shared

/**
 * Gives every HTTP request a fresh tenant cell. A bare `enterWith` in a handler bills the next request on the same
 * keep-alive socket to the previous tenant on Node 20 and 22 (11 of 40 requests, measured), and one behind an `await`
 * in a Fastify hook is lost on every version; a cell that is entered when the request starts and written later does neither.
 */
export function perRequest(): void {
  if (shared.perRequest) return
  shared.perRequest = true
  const fresh = () => scopes.enterWith({ payer: cellOf(undefined, true), attribution: NOBODY })
  subscribe('http.server.request.start', fresh)
  // HTTP/2; the channel exists from Node 22.23. On Node 20 nothing is ever published to it.
  subscribe('http2.server.stream.start', fresh)
}

export function currentPayer(): Payer {
  const scope = scopes.getStore()
  if (!scope) return { tenantId: undefined, attribution: NOBODY }
  const { tenantId, labels } = scope.payer
  return { tenantId, attribution: labels === NOBODY ? scope.attribution : merge(labels, scope.attribution) }
}

function cellOf(tenantId: string | undefined, isShared: boolean, labels = NOBODY): Cell {
  return { tenantId, labels, isShared }
}

/** Told of what was wrong with an id or a label, in one sentence. */
type Complain = (sentence: string) => void

/** An id that cannot be one is told of, and the code runs for no tenant: the application's request goes on. */
export function runAs<T>(tenantId: string, attribution: Attribution | undefined, fn: () => T, complain: Complain): T {
  const outer = scopes.getStore()
  const scope: Scope = {
    payer: cellOf(cleanTenantId(tenantId, complain), true, outer?.payer.labels),
    attribution: merge(outer?.attribution, cleanAttribution(attribution, complain)),
  }
  return scopes.run(scope, fn)
}

export function runAttributed<T>(attribution: Attribution, fn: () => T, complain: Complain): T {
  const outer = scopes.getStore()
  const scope: Scope = {
    payer: outer?.payer.isShared ? outer.payer : cellOf(outer?.payer.tenantId, true, outer?.payer.labels),
    attribution: merge(outer?.attribution, cleanAttribution(attribution, complain)),
  }
  return scopes.run(scope, fn)
}

/** `undefined` with labels: who pays stays as it is. */
export function assignTenant(tenantId: string | undefined, complain: Complain, attribution?: Attribution): void {
  const scope = scopes.getStore()
  const areLabelsAlone = tenantId === undefined && attribution !== undefined
  const id = areLabelsAlone ? scope?.payer.tenantId : cleanTenantId(tenantId, complain)
  const labels = merge(scope?.payer.labels, cleanAttribution(attribution, complain))
  if (scope?.payer.isShared) Object.assign(scope.payer, { tenantId: id, labels })
  else scopes.enterWith({ payer: cellOf(id, false, labels), attribution: scope?.attribution ?? NOBODY })
}

/** Runs `fn` in a name captured before. */
export function resumeAs<T>({ tenantId, attribution }: Payer, fn: () => T): T {
  return scopes.run({ payer: cellOf(tenantId, true), attribution }, fn)
}

/** Runs `fn` in no tenant's name: our own HTTP must never be billed to whoever happened to trigger it. */
export function runAsNobody<T>(fn: () => T): T {
  return scopes.exit(fn)
}

function merge(outer: Attribution | undefined, inner: Attribution): Attribution {
  if (!outer || outer === NOBODY) return inner
  const tags = outer.tags && inner.tags ? { ...outer.tags, ...inner.tags } : (inner.tags ?? outer.tags)
  return tags ? { ...outer, ...inner, tags } : { ...outer, ...inner }
}

export const MAX_TENANT_ID_LENGTH = 256
/** Control characters, and halves of a surrogate pair, which a ledger cannot store: two such ids would become one. */
const CONTROL = /[\p{Cc}\p{Cs}]/u

/** What is wrong with a tenant id: it is 1 to 256 characters without control characters, or it would spoil a ledger. */
export function tenantIdFault(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return expected('tenantId', 'a non-empty string', value)
  if (value.length > MAX_TENANT_ID_LENGTH)
    return expected('tenantId', `at most ${MAX_TENANT_ID_LENGTH} characters`, value)
  return CONTROL.test(value) ? expected('tenantId', 'a string without control characters', value) : undefined
}

/** The id itself; throws MeterError `BAD_INPUT` in one sentence where it cannot be one. */
export function checkTenantId(value: unknown): string {
  const fault = tenantIdFault(value)
  if (fault !== undefined) throw new MeterError('BAD_INPUT', fault)
  return value as string
}

function cleanTenantId(value: string | undefined, complain: Complain): string | undefined {
  const fault = tenantIdFault(value)
  if (fault === undefined) return value
  complain(fault)
  return undefined
}

const MAX_ATTRIBUTION_LENGTH = 256
const MAX_TAGS = 32

/** The known fields that can be what they say; frozen, since every event of the scope shares it. */
function cleanAttribution(value: Attribution | undefined, complain: Complain): Attribution {
  if (value === undefined) return NOBODY
  if (typeof value !== 'object' || value === null) {
    complain(expected('attribution', 'an object', value))
    return NOBODY
  }
  const clean: Record<string, unknown> = {}
  for (const field of ATTRIBUTION_FIELDS) {
    let fault: string | undefined
    try {
      const given: unknown = value[field]
      if (given === undefined || given === null) continue
      clean[field] = field === 'tags' ? checkTags(given) : checkLabel(field, given)
    } catch (error) {
      // The application's own getter, or what is behind its proxy: what that says is nobody's business.
      fault =
        error instanceof MeterError
          ? error.message
          : `The attribution \`${field}\` could not be read: it threw an error.`
    }
    if (fault !== undefined) complain(fault)
  }
  return Object.freeze(clean)
}

function checkLabel(field: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_ATTRIBUTION_LENGTH && !CONTROL.test(value))
    return value
  throw new MeterError(
    'BAD_INPUT',
    expected(field, `a string of 1 to ${MAX_ATTRIBUTION_LENGTH} characters without control characters`, value),
  )
}

/** The tags themselves; throws MeterError `BAD_INPUT` in one sentence where they are none. */
export function checkTags(tags: unknown): Readonly<Record<string, TagValue>> {
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags))
    throw new MeterError('BAD_INPUT', expected('tags', 'an object of strings, numbers and booleans', tags))
  const entries = Object.entries(tags)
  if (entries.length > MAX_TAGS)
    throw new MeterError('BAD_INPUT', expected('tags', `at most ${MAX_TAGS} tags`, entries.length))
  for (const [name, tag] of entries) {
    const isScalar =
      typeof tag === 'string' || typeof tag === 'boolean' || (typeof tag === 'number' && Number.isFinite(tag))
    if (name.length > MAX_ATTRIBUTION_LENGTH)
      throw new MeterError('BAD_INPUT', expected('tags', `named in at most ${MAX_ATTRIBUTION_LENGTH} characters`, name))
    if (!isScalar || (typeof tag === 'string' && tag.length > MAX_ATTRIBUTION_LENGTH))
      throw new MeterError(
        'BAD_INPUT',
        expected(
          name.length > 40 ? 'tags' : `tags.${name}`,
          `a string of at most ${MAX_ATTRIBUTION_LENGTH} characters, a finite number or a boolean`,
          tag,
        ),
      )
  }
  // fromEntries defines properties, so that a tag named `__proto__` is a tag.
  return Object.freeze(Object.fromEntries(entries) as Record<string, TagValue>)
}
