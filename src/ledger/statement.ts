// One statement in the making: values are bound as they are met, and names come from closed lists alone.

import { COLUMNS } from '../sinks/totals.ts'
import type { Dialect, Value } from './dialect.ts'
import type { Dimension, Query } from './query.ts'

export interface Statement {
  readonly sql: string
  readonly values: readonly Value[]
}

export interface Draft {
  readonly dialect: Dialect
  readonly values: readonly Value[]
  /** Binds a value, and gives what stands for it. */
  bind(value: Value): string
  /** What a dimension is in SQL. */
  column(dimension: Dimension): string
  /** ` WHERE …`, or nothing. */
  conditions(query: Query, ...more: readonly string[]): string
}

export function createDraft(dialect: Dialect): Draft {
  const values: Value[] = []
  const bind = (value: Value) => `$${values.push(value)}`
  const columns = new Map<Dimension, string>()

  function column(dimension: Dimension): string {
    // Once: PostgreSQL takes two parameters for two expressions, whatever their values are.
    let sql = columns.get(dimension)
    if (sql === undefined) columns.set(dimension, (sql = columnOf(dimension)))
    return sql
  }

  function columnOf(dimension: Dimension): string {
    if (dimension === 'day') return dialect.day
    if (isTag(dimension)) return dialect.tag(bind(storable(dimension.slice('tag:'.length))))
    return COLUMNS[dimension]
  }

  function isOneOf(dimension: Dimension, given: string | null | readonly (string | null)[]): string {
    const wanted = typeof given === 'string' || given === null ? [given] : given
    if (wanted.length === 0) return '1 = 0'
    const texts = wanted.filter((value) => value !== null)
    const left = column(dimension)
    const either: string[] = []
    if (texts.length === 1) either.push(`${left} = ${bind(storable(texts[0]!))}`)
    if (texts.length > 1) either.push(`${left} IN (${texts.map((text) => bind(storable(text))).join(', ')})`)
    if (wanted.includes(null)) either.push(`${left} IS NULL`)
    return `(${either.join(' OR ')})`
  }

  return {
    dialect,
    values,
    bind,
    column,
    conditions({ since, until, where = {} }, ...more) {
      const all = [...more]
      const [from, to] = [momentOf(since), momentOf(until)]
      if (from !== undefined && since !== -Infinity) all.push(`at >= ${bind(from)}`)
      if (to !== undefined && until !== Infinity) all.push(`at < ${bind(to)}`)
      for (const [name, given] of Object.entries(where))
        if (given !== undefined) all.push(isOneOf(name as Dimension, given))
      return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`
    },
  }
}

function isTag(dimension: Dimension): dimension is `tag:${string}` {
  return dimension.startsWith('tag:')
}

/** Events are at whole milliseconds; what is beyond all of them becomes the last that is exact. */
function momentOf(moment: number | undefined): bigint | undefined {
  if (moment === undefined) return undefined
  return BigInt(Math.ceil(Math.min(Math.max(moment, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)))
}

/** A NUL is stored as the sign for what is no character, where the database cannot hold it. */
function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}
