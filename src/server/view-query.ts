// What a view is asked for, read off the address: each fault is one sentence that names the parameter.

import { expected, MeterError } from '../errors.ts'
import { timeIn } from '../event.ts'
import type { Dimension, Query } from '../ledger/query.ts'
import { DIMENSIONS } from '../sinks/ledger.ts'
import { MAX_TEXT_LENGTH } from '../wire-fields.ts'

const WHERE = 'where.'
const TAG = 'tag:'
/** The range of a `Date`. */
const MOST_TIME = 8.64e15
const MOST_VALUES = 100
/** SQLite takes no condition of more than a thousand parts, and each one is looked at for each event. */
const MOST_FILTERS = 50
const MOST_DIMENSIONS = 4

/** Those of every view that looks at the events of a range. */
export const RANGE = ['since', 'until'] as const

/** Reads the parameters of one request; whatever is not `known` is a fault, since a typing error would widen what is shown. */
export function createQueryReader(params: URLSearchParams, known: readonly string[]) {
  const takesWhere = known.includes('where')
  const filters = new Set([...params.keys()].filter((name) => name.startsWith(WHERE)))
  if (takesWhere && filters.size > MOST_FILTERS)
    throw new MeterError(
      'BAD_INPUT',
      `At most ${MOST_FILTERS} dimensions can be narrowed by \`where.\` at once; it got ${filters.size}.`,
    )
  for (const name of params.keys()) {
    if (name.startsWith(WHERE) && takesWhere) dimensionIn(name.slice(WHERE.length), shortly(name))
    else if (!known.includes(name) || name === 'where')
      throw new MeterError('BAD_INPUT', `There is no parameter \`${shortly(name)}\` here: it takes ${listed(known)}.`)
    if (!name.startsWith(WHERE) && params.getAll(name).length > 1)
      throw new MeterError('BAD_INPUT', `\`${shortly(name)}\` can be given once only.`)
  }

  function text(name: string): string | undefined {
    const value = params.get(name)
    return value === null || value === '' ? undefined : value
  }

  function time(name: string): number | undefined {
    const value = text(name)
    if (value === undefined) return undefined
    const at = /^-?\d{1,16}$/.test(value) && value.length !== 4 ? Number(value) : timeIn(value)
    if (Math.abs(at) <= MOST_TIME) return at
    throw new MeterError(
      'BAD_INPUT',
      expected(name, 'a moment such as 2026-11-01, 2026-11-01T14:00Z or milliseconds since 1970', shortly(value)),
    )
  }

  const reader = {
    text,
    /** `undefined` where nothing is asked. */
    oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
      const value = text(name)
      if (value === undefined || choices.includes(value as Choice)) return value as Choice | undefined
      throw new MeterError('BAD_INPUT', expected(name, `one of ${choices.join(', ')}`, shortly(value)))
    },
    flag(name: string): boolean {
      return reader.oneOf(name, ['true', 'false'] as const) === 'true'
    },
    count(name: string, least: number, most: number): number | undefined {
      const value = text(name)
      if (value === undefined) return undefined
      const count = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
      if (count >= least && count <= most) return count
      throw new MeterError('BAD_INPUT', expected(name, `a whole number from ${least} to ${most}`, shortly(value)))
    },
    dimensions(name: string): readonly Dimension[] {
      const names = text(name)?.split(',') ?? []
      if (names.length > MOST_DIMENSIONS)
        throw new MeterError('BAD_INPUT', `\`${name}\` takes at most ${MOST_DIMENSIONS} dimensions.`)
      if (new Set(names).size < names.length)
        throw new MeterError('BAD_INPUT', `\`${name}\` names one dimension twice.`)
      return names.map((one) => dimensionIn(one, name))
    },
    timeZone(name: string): string | undefined {
      const value = text(name)
      if (value === undefined) return undefined
      try {
        return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone
      } catch {
        throw new MeterError('BAD_INPUT', expected(name, 'a time zone such as Europe/Vienna', shortly(value)))
      }
    },
    range(): Pick<Query, 'since' | 'until'> {
      const [since, until] = [time('since'), time('until')]
      if (since !== undefined && until !== undefined && since >= until)
        throw new MeterError('BAD_INPUT', 'Expected `since` to be before `until`.')
      return { ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
    },
    /** Each dimension with its values; an empty value stands for events that have none. */
    where(): Record<string, (string | null)[]> {
      const where: Record<string, (string | null)[]> = {}
      for (const name of filters) {
        const values = params.getAll(name)
        if (values.length > MOST_VALUES)
          throw new MeterError('BAD_INPUT', `\`${shortly(name)}\` can be given ${MOST_VALUES} times at most.`)
        where[name.slice(WHERE.length)] = values.map((value) => (value === '' ? null : value))
      }
      return where
    },
  }
  return reader
}

export type QueryReader = ReturnType<typeof createQueryReader>

function dimensionIn(name: string, parameter: string): Dimension {
  const isTag = name.startsWith(TAG) && name.length > TAG.length && name.length <= MAX_TEXT_LENGTH
  if (isTag || (DIMENSIONS as readonly string[]).includes(name)) return name as Dimension
  throw new MeterError(
    'BAD_INPUT',
    `\`${parameter}\` takes ${DIMENSIONS.join(', ')} or tag:name; it got ${JSON.stringify(shortly(name))}.`,
  )
}

function listed(known: readonly string[]): string {
  const names = known.map((name) => (name === 'where' ? '`where.<dimension>`' : `\`${name}\``))
  return names.length < 2 ? (names[0] ?? 'none') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** What came from outside is quoted as far as it helps, and never so that it could break a line of a log. */
function shortly(text: string): string {
  const plain = Array.from(text, (sign) => (sign < ' ' || sign === '\u007f' ? '?' : sign))
  return plain.length > 60 ? `${plain.slice(0, 60).join('')}…` : plain.join('')
}
