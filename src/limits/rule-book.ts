// The limits that this process knows, found by what a call belongs to.

import type { LimitChanges, LimitKey, LimitRule } from './limit-store.ts'
import type { Pocket } from './pocket.ts'
import { type Belonging, EVERYTHING, fieldsOf, type ScopeField, valueIn } from './scope.ts'
import { type Calendar, calendarByUtc, calendarOf, LIMIT_WINDOWS } from './window.ts'

/** A rule in force, and this process's money of it. Stays the same object when the rule is set again. */
export interface LiveRule {
  rule: LimitRule
  calendar: Calendar
  /** Of the current window. */
  pocket: Pocket | undefined
  /** Of a window that is over, for calls that were made in it. */
  previous: Pocket | undefined
  isRemoved: boolean
}

export interface RuleBook {
  /** Counts what was changed in it. */
  readonly version: number
  /** The rules that a call counts in. */
  matching(call: Belonging): readonly LiveRule[]
  /** Those of one scope. */
  of(scope: string): readonly LiveRule[]
  find(key: LimitKey): LiveRule | undefined
  /** `undefined` where nothing has changed. */
  set(rule: LimitRule): LiveRule | undefined
  remove(key: LimitKey): LiveRule | undefined
  /** Gives those that are not what they were. */
  apply(changes: LimitChanges): readonly LiveRule[]
  /** Makes these the rules of a tenant, and no others. */
  replace(tenantId: string, rules: readonly LimitRule[]): readonly LiveRule[]
  all(): Iterable<LiveRule>
}

/** Scopes of the same fields: rules by the values of those. */
interface Shape {
  readonly fields: readonly ScopeField[]
  readonly byValues: Map<string, LiveRule[]>
}

const NONE: readonly LiveRule[] = []
const BETWEEN = '\u0000'

/** `strange` is told of a rule whose time zone this Node does not know: another one has set it. */
export function createRuleBook(strange: (rule: LimitRule) => void = () => undefined): RuleBook {
  const shapes = new Map<string, Shape>()
  const byTenant: Shape = { fields: ['tenant'], byValues: new Map() }
  const everything = new Map<string, LiveRule[]>()
  const organizations = new Map<string, LiveRule[]>()
  const rules = new Map<string, LiveRule>()
  /** Of `rulesOf`: the list that a tenant's rules were last taken from. */
  const taken = new Map<string, readonly LimitRule[]>()
  let version = 0
  let isPlain = true

  /** The lists that a rule stands in, each by its map. */
  function* placesOf({ scope, settings }: LimitRule): Iterable<readonly [Map<string, LiveRule[]>, string]> {
    if (scope === EVERYTHING) yield [everything, EVERYTHING]
    for (const tenantId of settings.tenants ?? []) yield [organizations, tenantId]
    const fields = fieldsOf(scope)
    if (fields.length === 0) return
    const name = fields.map(([field]) => field).join('&')
    let shape = name === 'tenant' ? byTenant : shapes.get(name)
    if (!shape) shapes.set(name, (shape = { fields: fields.map(([field]) => field), byValues: new Map() }))
    yield [shape.byValues, fields.map(([, value]) => value).join(BETWEEN)]
  }

  function set(rule: LimitRule): LiveRule | undefined {
    const name = nameOf(rule)
    const known = rules.get(name)
    if (known && isSame(known.rule, rule)) return undefined
    version++
    const calendar = calendarFor(rule)
    const live = known ?? { rule, calendar, pocket: undefined, previous: undefined, isRemoved: false }
    if (known) leave(known)
    live.rule = rule
    live.calendar = calendar
    rules.set(name, live)
    for (const [map, key] of placesOf(rule)) map.set(key, [...(map.get(key) ?? []), live])
    isPlain = shapes.size === 0 && everything.size === 0 && organizations.size === 0
    return live
  }

  function calendarFor(rule: LimitRule): Calendar {
    try {
      return calendarOf(rule.per, rule.settings)
    } catch {
      strange(rule)
      return calendarByUtc(rule.per, rule.settings)
    }
  }

  /** Lists are replaced and not changed: somebody may be going through one. */
  function leave(live: LiveRule): void {
    for (const [map, key] of placesOf(live.rule)) {
      const rest = map.get(key)?.filter((one) => one !== live) ?? []
      if (rest.length > 0) map.set(key, rest)
      else map.delete(key)
    }
  }

  function remove(key: LimitKey): LiveRule | undefined {
    const live = rules.get(nameOf(key))
    if (!live) return undefined
    version++
    rules.delete(nameOf(key))
    leave(live)
    live.isRemoved = true
    return live
  }

  return {
    get version() {
      return version
    },
    matching(call) {
      const { tenantId } = call
      const own = tenantId === undefined ? NONE : (byTenant.byValues.get(tenantId) ?? NONE)
      if (isPlain) return own
      const shared = tenantId === undefined ? NONE : (organizations.get(tenantId) ?? NONE)
      const found = [...(everything.get(EVERYTHING) ?? NONE), ...shared, ...own]
      for (const { fields, byValues } of shapes.values()) {
        const values = fields.map((field) => valueIn(call, field))
        if (!values.includes(undefined)) found.push(...(byValues.get(values.join(BETWEEN)) ?? NONE))
      }
      return found
    },
    of: (scope) => LIMIT_WINDOWS.flatMap((per) => rules.get(nameOf({ scope, per })) ?? []),
    find: (key) => rules.get(nameOf(key)),
    set,
    remove,
    apply: (changes) => [
      ...changes.removed.flatMap((key) => remove(key) ?? []),
      ...changes.rules.flatMap((rule) => set(rule) ?? []),
    ],
    replace(tenantId, list) {
      if (taken.get(tenantId) === list) return NONE
      taken.set(tenantId, list)
      const names = new Set(list.map(nameOf))
      const own = byTenant.byValues.get(tenantId) ?? NONE
      const gone = own.filter(({ rule }) => !names.has(nameOf(rule)))
      return [...gone.flatMap(({ rule }) => remove(rule) ?? []), ...list.flatMap((rule) => set(rule) ?? [])]
    },
    all: () => rules.values(),
  }
}

function nameOf({ scope, per }: LimitKey): string {
  return `${per} ${scope}`
}

function isSame(a: LimitRule, b: LimitRule): boolean {
  return (
    a.limitNanoUsd === b.limitNanoUsd &&
    a.mode === b.mode &&
    (a.settings === b.settings || JSON.stringify(a.settings) === JSON.stringify(b.settings))
  )
}
