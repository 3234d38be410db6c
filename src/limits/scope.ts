// Whose money a limit is about: a tenant, something of it, several tenants together, or everything.

import { expected, MeterError } from '../errors.ts'
import { checkTenantId } from '../tenant.ts'

/** What a call belongs to. A limit counts it in where every field of the limit's scope is the call's. */
export interface Belonging {
  readonly tenantId?: string | undefined
  readonly userId?: string | undefined
  readonly feature?: string | undefined
  /** As the request asks for it. */
  readonly model?: string | undefined
  readonly sessionId?: string | undefined
  readonly operationId?: string | undefined
}

/** Together they narrow it down: `{ tenant: 'acme', user: 'u1' }` is that user of that tenant. */
export interface LimitScope {
  readonly tenant?: string
  readonly user?: string
  readonly feature?: string
  /** As requests ask for it. */
  readonly model?: string
  readonly session?: string
  /** One run of an agent: the `operationId` of its calls. */
  readonly run?: string
}

/** Several tenants that share one limit, under a name of their own. `setLimit` needs to be told which; nothing else does. */
export interface OrganizationScope {
  readonly organization: string
  readonly tenants?: readonly string[]
}

/** A tenant's id, a scope, several tenants, or `'*'` for every call. */
export type LimitTarget = string | LimitScope | OrganizationScope

const FIELDS = ['tenant', 'user', 'feature', 'model', 'session', 'run'] as const satisfies (keyof LimitScope)[]
export type ScopeField = (typeof FIELDS)[number]

const IN_A_CALL: Readonly<Record<ScopeField, keyof Belonging>> = {
  tenant: 'tenantId',
  user: 'userId',
  feature: 'feature',
  model: 'model',
  session: 'sessionId',
  run: 'operationId',
}

export const EVERYTHING = '*'
const MOST_TENANTS = 10_000

/** A scope as its canonical name, with the tenants of an organisation. Throws MeterError `BAD_INPUT` in one sentence for none. */
export function scopeOf(target: LimitTarget): { readonly scope: string; readonly tenants?: readonly string[] } {
  if (target === EVERYTHING) return { scope: EVERYTHING }
  // What is nothing of the kind was meant to be a tenant as a rule, and is told of as one.
  if (typeof target !== 'object' || target === null) return { scope: tenantScope(checkTenantId(target)) }
  if ('organization' in target) return organizationOf(target)
  const unknown = Object.keys(target).find((name) => !FIELDS.includes(name as ScopeField))
  if (unknown !== undefined)
    throw new MeterError(
      'BAD_INPUT',
      `A limit cannot be for \`${unknown.slice(0, 40)}\`; it is for ${FIELDS.join(', ')}, organization, or '*'.`,
    )
  const parts = FIELDS.flatMap((field) =>
    target[field] === undefined ? [] : `${field}=${encoded(field, target[field])}`,
  )
  if (parts.length === 0)
    throw new MeterError(
      'BAD_INPUT',
      `Expected the scope of a limit to name one of ${FIELDS.join(', ')}; '*' is for every call.`,
    )
  return { scope: parts.join('&') }
}

function organizationOf({ organization, tenants, ...rest }: OrganizationScope) {
  const [other] = Object.keys(rest)
  if (other !== undefined)
    throw new MeterError(
      'BAD_INPUT',
      `The limit of an organization has no \`${other.slice(0, 40)}\`: it is for all calls of its tenants.`,
    )
  const scope = `organization=${encoded('organization', organization)}`
  if (tenants === undefined) return { scope }
  if (!Array.isArray(tenants) || tenants.length === 0 || tenants.length > MOST_TENANTS)
    throw new MeterError('BAD_INPUT', expected('tenants', `a list of 1 to ${MOST_TENANTS} tenants`, tenants))
  return { scope, tenants: [...new Set(tenants.map(checkTenantId))] }
}

const CONTROL = /[\p{Cc}\p{Cs}]/u

function encoded(field: string, value: unknown): string {
  if (field === 'tenant') checkTenantId(value)
  else if (typeof value !== 'string' || value === '' || value.length > 256 || CONTROL.test(value))
    throw new MeterError(
      'BAD_INPUT',
      expected(field, 'a string of 1 to 256 characters without control characters', value),
    )
  return encodeURIComponent(value as string)
}

export function tenantScope(tenantId: string): string {
  return `tenant=${encodeURIComponent(tenantId)}`
}

/** The fields of a canonical name, in order; none for everything and for organisations. */
export function fieldsOf(scope: string): readonly (readonly [field: ScopeField, value: string])[] {
  if (scope === EVERYTHING || scope.startsWith('organization=')) return []
  return scope.split('&').map((part) => {
    const at = part.indexOf('=')
    return [part.slice(0, at) as ScopeField, decodeURIComponent(part.slice(at + 1))]
  })
}

/** Back to what an application says. */
export function targetOf(scope: string): LimitTarget {
  if (scope === EVERYTHING) return EVERYTHING
  if (scope.startsWith('organization='))
    return { organization: decodeURIComponent(scope.slice('organization='.length)) }
  const fields = fieldsOf(scope)
  const [[field, value]] = fields as [readonly [ScopeField, string]]
  return fields.length === 1 && field === 'tenant' && value !== EVERYTHING ? value : Object.fromEntries(fields)
}

export function valueIn(call: Belonging, field: ScopeField): string | undefined {
  return call[IN_A_CALL[field]]
}

/** The narrowest field: what a person would call the limit. */
export function kindOf(scope: string): ScopeField | 'organization' | '*' {
  if (scope === EVERYTHING) return EVERYTHING
  if (scope.startsWith('organization=')) return 'organization'
  return fieldsOf(scope).at(-1)![0]
}

/** Whose tenant's limit it is; `undefined` where it is several tenants'. */
export function tenantIn(scope: string): string | undefined {
  return fieldsOf(scope).find(([field]) => field === 'tenant')?.[1]
}
