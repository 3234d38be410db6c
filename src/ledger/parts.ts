// Where sums come from: whole hours or days from a roll-up that tells what is asked, and what is left at the edges from events.

import { ROLL_UPS, type RollUp } from '../sinks/roll-ups.ts'
import type { SUMS } from '../sinks/totals.ts'
import type { Dimension, Query } from './query.ts'
import type { Draft } from './statement.ts'

/** The rows of a roll-up that have an event: those without are left where the last one was deleted. */
export const IS_USED = 'events > 0'

type Name = keyof typeof SUMS

export interface Asked extends Query {
  /** What stands beside the sums, each with its name: made of dimensions and of the column `at`. */
  readonly keys: readonly { readonly sql: string; readonly name: string }[]
  /** The dimensions that `keys` are made of. */
  readonly dimensions: readonly Dimension[]
  /** Times that the keys tell apart. */
  readonly edges?: readonly number[]
  readonly names: readonly Name[]
}

/** A selection of the keys and the sums, grouped by the keys. */
export function sumsSql(draft: Draft, expressions: typeof SUMS, asked: Asked): string {
  const { bind, dialect, conditions } = draft
  const { keys, names, where, since, until } = asked
  const columns = keys.map(({ sql, name }) => `${dialect.grouped(sql)} AS ${name}`)
  const group = keys.length === 0 ? '' : ` GROUP BY ${keys.map((_, i) => i + 1).join(', ')}`
  const fromEvents = (range: Query) => {
    const sums = names.map((name) => dialect.sum(expressions[name], name))
    return `SELECT ${[...columns, ...sums].join(', ')} FROM ${dialect.events}${conditions({ ...range, where })}${group}`
  }
  const whole = wholeSpans(asked)
  if (whole === undefined) return fromEvents({ since, until })
  const sums = names.map(dialect.rolled)
  const rolled = `${dialect.table(whole.rollUp.table)}${conditions({ ...whole.range, where }, IS_USED, ...whole.without.map((at) => `at <> ${bind(BigInt(at))}`))}`
  const parts = [`SELECT ${[...columns, ...sums].join(', ')} FROM ${rolled}${group}`, ...whole.edges.map(fromEvents)]
  if (parts.length === 1) return parts[0]!
  const read = [...keys.map(({ name }) => name), ...names.map(dialect.combined)].join(', ')
  return `SELECT ${read} FROM (${parts.join(' UNION ALL ')}) AS parts${group}`
}

export interface WholeSpans {
  readonly rollUp: RollUp
  readonly range: Query
  /** Spans of the range that are asked of the events, by their starts: some time that the keys tell apart is within. */
  readonly without: readonly number[]
  /** What is left for the events, less than one span each. */
  readonly edges: readonly Query[]
}

/** A summary has three: this moment, and the same one yesterday and a month ago. */
const MOST_WITHOUT = 4

/** The first roll-up that tells all that is asked, where the query has a whole span of it. */
export function wholeSpans({
  dimensions,
  where = {},
  since,
  until,
  edges = [],
}: Omit<Asked, 'keys' | 'names'>): WholeSpans | undefined {
  const asked = [...dimensions, ...(Object.keys(where) as Dimension[]).filter((name) => where[name] !== undefined)]
  for (const rollUp of ROLL_UPS) {
    const { span } = rollUp
    if (!asked.every((name) => name === 'day' || (rollUp.dimensions as readonly string[]).includes(name))) continue
    const [first, last] = [bounded(since), bounded(until)]
    const from = first === undefined ? undefined : Math.ceil(first / span) * span
    const to = last === undefined ? undefined : Math.floor(last / span) * span
    if (from !== undefined && to !== undefined && from >= to) continue
    const isWithin = (at: number) => (from === undefined || at >= from) && (to === undefined || at < to)
    const cut = edges.filter((edge) => edge % span !== 0).map((edge) => Math.floor(edge / span) * span)
    const without = [...new Set(cut)].filter(isWithin)
    if (without.length > MOST_WITHOUT) continue
    const left = [
      ...(first === from ? [] : [{ since: first, until: from }]),
      ...without.map((at) => ({ since: at, until: at + span })),
      ...(last === to ? [] : [{ since: to, until: last }]),
    ]
    return { rollUp, range: { since: from, until: to }, without, edges: left }
  }
  return undefined
}

/** `undefined` for what no event lies beyond. */
function bounded(moment: number | undefined): number | undefined {
  return moment !== undefined && Math.abs(moment) < Number.MAX_SAFE_INTEGER / 2 ? Math.ceil(moment) : undefined
}
