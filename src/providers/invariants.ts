// What holds between the counts of a usage object that is right: data beside each route, checked by one function.

import type { Counts } from './counts.ts'
import type { Json } from './provider.ts'

/**
 * A field of a usage object: `prompt_tokens`, `prompt_tokens_details.cached_tokens`, or, of a list, the sum of a field
 * of its entries, `promptTokensDetails[].tokenCount`.
 */
type Path = string

interface Rule {
  readonly parts: readonly Path[]
  /** The field that a violation names; default: the whole. */
  readonly flag?: string
  /** Holds only where this is there, and not 0. */
  readonly when?: Path
  /** Does not hold where this is there, and not 0. */
  readonly unless?: Path
}

/** The usage object of one wire. */
export interface UsageRules {
  /** Parts that make up their whole, or else those of `or` do. Where there is no whole, nothing is said. */
  readonly sums?: readonly (Rule & { readonly whole: Path; readonly or?: readonly Path[] })[]
  /** Parts that fit, together, into a whole; they may overlap with those of another line. */
  readonly subsets?: readonly (Rule & { readonly of: Path })[]
  /** A part that some hosts count outside of its whole, as only the total shows: reasoning at xAI. */
  readonly outside?: { readonly part: Path; readonly total: Path; readonly rest: readonly Path[] }
  /** Fields that no rule speaks of, and that are understood. What is not understood is kept as it came. */
  readonly known?: readonly Path[]
}

/** What a name in a usage object, or in an object within, stands for. */
interface Known {
  /** Where its count is put; of an object, 1 where it is there. -1: no rule asks for it. */
  slot: number
  /** It is an object, with names of its own. */
  inner?: Level
  /** It is a list, of whose entries this field is added up. */
  entry?: string
}

interface Level {
  readonly prefix: string
  readonly names: Map<string, Known>
}

interface Outside {
  readonly part: number
  readonly total: number
  readonly rest: readonly number[]
}

interface Check {
  readonly isSum: boolean
  readonly flag: string
  readonly whole: number
  readonly parts: readonly number[]
  readonly or: readonly number[] | undefined
  readonly when: number
  readonly unless: number
}

/** The rules, laid out when a usage object is first held against them: most processes meet two or three of the wires. */
export interface UsageShape {
  readonly rules: UsageRules
  layout: Layout | undefined
}

/** Every path is a place in a row of numbers, which is filled in one walk. */
interface Layout {
  readonly checks: readonly Check[]
  readonly outside: Outside | undefined
  readonly top: Level
  /** Filled anew for each usage; `NaN` where there is nothing. */
  readonly values: Float64Array
}

export function usageShape(rules: UsageRules): UsageShape {
  return { rules, layout: undefined }
}

function layOut({ sums = [], subsets = [], outside, known = [] }: UsageRules): Layout {
  const top: Level = { prefix: '', names: new Map() }
  let slots = 0

  const knownAt = (path: Path): Known => {
    const steps = path.split('.')
    let level = top
    for (const [i, step] of steps.entries()) {
      const name = step.replace('[]', '')
      let found = level.names.get(name)
      if (!found) level.names.set(name, (found = { slot: -1 }))
      if (step !== name) found.entry = steps[i + 1]!
      if (step !== name || i === steps.length - 1) return found
      level = found.inner ??= { prefix: steps.slice(0, i + 1).join('.'), names: new Map() }
    }
    throw new Error('A path has a step.')
  }
  const slotOf = (path: Path): number => {
    const found = knownAt(path)
    if (found.slot < 0) found.slot = slots++
    return found.slot
  }
  const checkOf = (isSum: boolean, whole: Path, { parts, or, flag = whole, when, unless }: Rule & Either): Check => ({
    isSum,
    flag: flag,
    whole: slotOf(whole),
    parts: parts.map(slotOf),
    or: or?.map(slotOf),
    when: when === undefined ? -1 : slotOf(when),
    unless: unless === undefined ? -1 : slotOf(unless),
  })

  const checks = [
    ...sums.map((rule) => checkOf(true, rule.whole, rule)),
    ...subsets.map((rule) => checkOf(false, rule.of, rule)),
  ]
  const apart = outside && {
    part: slotOf(outside.part),
    total: slotOf(outside.total),
    rest: outside.rest.map(slotOf),
  }
  for (const path of known) knownAt(path)
  return { checks, outside: apart, top, values: new Float64Array(slots) }
}

interface Either {
  readonly or?: readonly Path[]
}

/** Flags what cannot be right in `usage`, and has `count` keep the numbers in it that nobody here understands. */
export function checkUsage(count: Counts, usage: Json, shape: UsageShape): void {
  const { checks, outside, top, values } = (shape.layout ??= layOut(shape.rules))
  values.fill(Number.NaN)
  walk(count, usage, top, values)
  const isOutside = outside !== undefined && standsOutside(values, outside)
  for (const { isSum, flag, whole, parts, or, when, unless } of checks) {
    if (when >= 0 && !(values[when]! > 0)) continue
    if (unless >= 0 && values[unless]! > 0) continue
    const all = values[whole]!
    if (isSum) {
      if (Number.isNaN(all)) continue
      // The total of a host that counts a part outside of its whole is larger by it.
      if (isOutside && whole === outside.total) continue
      if (sumOf(values, parts, -1) === all || (or !== undefined && sumOf(values, or, -1) === all)) continue
      count.flag('sum', flag)
    } else if (sumOf(values, parts, isOutside ? outside.part : -1) > (all || 0)) count.flag('subset', flag)
  }
}

function sumOf(values: Float64Array, slots: readonly number[], without: number): number {
  let sum = 0
  for (const slot of slots) if (slot !== without) sum += values[slot] || 0
  return sum
}

function standsOutside(values: Float64Array, { part, total, rest }: Outside): boolean {
  const outside = values[part]!
  return outside > 0 && values[total] === outside + sumOf(values, rest, -1)
}

const NAME = /^\w{1,64}$/

function walk(count: Counts, object: Json, { prefix, names }: Level, values: Float64Array): void {
  for (const name in object) {
    const value = object[name]
    if (value === undefined || value === null) continue
    const known = names.get(name)
    if (!known) {
      if (typeof value === 'number' && value !== 0 && Number.isFinite(value) && NAME.test(name))
        count.keep(prefix === '' ? name : `${prefix}.${name}`, value)
      continue
    }
    const { slot, inner, entry } = known
    if (entry !== undefined) {
      if (slot >= 0 && Array.isArray(value) && value.length > 0) values[slot] = sumOfList(count, value, entry)
    } else if (inner) {
      if (typeof value !== 'object' || Array.isArray(value)) continue
      if (slot >= 0) values[slot] = 1
      walk(count, value as Json, inner, values)
    } else if (slot >= 0) {
      // As a rule it is a whole number; of what else it can be, `check` says what is wrong with it.
      const isPlain = typeof value === 'number' && value >= 0 && value <= PLAIN && Math.trunc(value) === value
      if (isPlain) values[slot] = value
      else {
        const counted = count.check(object, name)
        if (count.has(object, name)) values[slot] = counted
      }
    }
  }
}

/** Far below what would be absurd. */
const PLAIN = 1e8

function sumOfList(count: Counts, list: readonly unknown[], field: string): number {
  let sum = 0
  for (const entry of list) sum += count.check(entry, field)
  return sum
}
