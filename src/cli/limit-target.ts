// Whose limit is meant and what it says, out of the options of the command line.

import { MeterError } from '../errors.ts'
import { type Limit, ruleOf } from '../limits/limit.ts'
import type { LimitKey, LimitRule } from '../limits/limit-store.ts'
import { EVERYTHING, fieldsOf, type LimitTarget, scopeOf } from '../limits/scope.ts'
import { LIMIT_WINDOWS } from '../limits/window.ts'
import { Stop } from './command.ts'

export interface TargetValues {
  readonly tenant?: string
  readonly user?: string
  readonly feature?: string
  readonly model?: string
  readonly session?: string
  readonly run?: string
  readonly organization?: string
  readonly tenants?: string
  readonly everything?: boolean
}

export interface LimitValues {
  readonly usd?: string
  readonly per?: string
  readonly mode?: string
  readonly 'time-zone'?: string
  readonly anchor?: string
  readonly rolling?: boolean
  readonly 'min-output-tokens'?: string
}

const SCOPE = ['tenant', 'user', 'feature', 'model', 'session', 'run'] as const

/** `tenant` is what stands behind `set` or `remove`. */
export function targetOf(values: TargetValues): LimitTarget {
  const { organization, tenants, everything = false } = values
  const scope = Object.fromEntries(SCOPE.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])))
  const kinds = [everything, organization !== undefined, Object.keys(scope).length > 0].filter(Boolean).length
  if (kinds === 0)
    throw new Stop(
      2,
      'Say whose limit it is: a tenant, `--user`, `--feature`, `--model`, `--session`, `--run`, `--organization` or `--everything`.',
    )
  if (kinds > 1)
    throw new Stop(2, '`--organization` and `--everything` stand alone: such a limit is for all calls of theirs.')
  if (tenants !== undefined && organization === undefined) throw new Stop(2, '`--tenants` goes with `--organization`.')
  if (everything) return EVERYTHING
  if (organization === undefined) return scope
  return { organization, ...(tenants !== undefined && { tenants: tenants.split(',').map((id) => id.trim()) }) }
}

/** Throws a `Stop` of one sentence that names the option. */
export function ruleIn(target: LimitTarget, values: LimitValues): LimitRule {
  const { usd, per, mode, 'time-zone': timeZone, anchor, rolling, 'min-output-tokens': minOutputTokens } = values
  if (usd === undefined) throw new Stop(2, '`limits set` needs `--usd <dollars>`.')
  const limit = {
    usd,
    ...(per !== undefined && { per }),
    ...(mode !== undefined && { mode }),
    ...(timeZone !== undefined && { timeZone }),
    ...(anchor !== undefined && { anchor: wholeOr(anchor) }),
    ...(rolling && { rolling }),
    ...(minOutputTokens !== undefined && { minOutputTokens: wholeOr(minOutputTokens) }),
  } as Limit
  return named(() => ruleOf(target, limit))
}

export function keyIn(target: LimitTarget, { per = 'month' }: Pick<LimitValues, 'per'>): LimitKey {
  const window = LIMIT_WINDOWS.find((name) => name === per)
  if (window === undefined)
    throw new Stop(2, `\`--per\` takes one of ${LIMIT_WINDOWS.join(', ')}; got ${JSON.stringify(per)}.`)
  return named(() => ({ scope: scopeOf(target).scope, per: window }))
}

/** What is no whole number stays the text that it is, so that the refusal quotes it. */
function wholeOr(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text
}

/** The fields of a limit are options here: `timeZone` is `--time-zone`. */
function named<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MeterError)) throw error
    const options =
      /`(usd|per|mode|timeZone|anchor|rolling|minOutputTokens|tenants|organization|user|feature|model|session|run)`/g
    const sentence = error.message.replace(options, (_, name: string) => `\`--${kebab(name)}\``)
    throw new Stop(2, sentence.replace('`tenantId`', 'the tenant'))
  }
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** For a person: `acme`, `tenant acme, user u1`, `every call`. */
export function scopeInWords(scope: string): string {
  if (scope === EVERYTHING) return 'every call'
  if (scope.startsWith('organization='))
    return `organization ${decodeURIComponent(scope.slice('organization='.length))}`
  const fields = fieldsOf(scope)
  const [[field, value] = ['', ''], ...others] = fields
  if (field === 'tenant' && others.length === 0) return value
  return fields.map(([name, of]) => `${name} ${of}`).join(', ')
}
