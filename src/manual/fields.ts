// What each field of a call reported by hand may hold: a value is copied where the wire would take it, and left out otherwise.

import type { Attempt, CostLine, EventField, TagValue } from '../event.ts'
import { parseUsd } from '../money.ts'
import { checkTags, tenantIdFault } from '../tenant.ts'
import {
  BILLABLE,
  COST_SOURCES,
  FIELD_KINDS,
  type FieldKind,
  MAX_ENTRIES,
  MAX_EVENT_PICO,
  MAX_TEXT_LENGTH,
  USAGE_SOURCES,
} from '../wire-fields.ts'

/** No call uses as much: a number above it is a slip, and its cost would not fit a ledger. */
const ABSURD = 1e10

/** The value as an event may hold it, a copy where it has parts; `undefined` for one that it cannot. */
type Read = (value: unknown) => unknown

const text: Read = (value) =>
  typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_LENGTH ? value : undefined
const count: Read = (value) => (isNumber(value) && Number.isInteger(value) ? value : undefined)
const number: Read = (value) => (isNumber(value) ? value : undefined)
const oneOf =
  (words: readonly unknown[]): Read =>
  (value) =>
    words.includes(value) ? value : undefined
const listOf =
  (item: Read): Read =>
  (value) => {
    if (!Array.isArray(value) || value.length > MAX_ENTRIES) return undefined
    const list = value.map(item)
    return list.includes(undefined) ? undefined : list
  }

function recordOf(entry: Read): Read {
  return (value) => {
    const entries = isObject(value) ? Object.entries(value) : []
    if (!isObject(value) || entries.length > MAX_ENTRIES) return undefined
    const read = entries.map(([name, one]) => [name, entry(one)] as const)
    return read.some(([, one]) => one === undefined) ? undefined : Object.fromEntries(read)
  }
}

const READERS: Readonly<Record<FieldKind, Read>> = {
  id: (value) => (tenantIdFault(value) === undefined ? value : undefined),
  time: text,
  text,
  count,
  calls: (value) => (value === 0 ? undefined : count(value)),
  number,
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  usd: (value) => {
    const pico = typeof value === 'string' ? parseUsd(value) : undefined
    return pico !== undefined && pico >= 0n && pico <= MAX_EVENT_PICO ? value : undefined
  },
  usageSource: oneOf(USAGE_SOURCES),
  costSource: oneOf(COST_SOURCES),
  quantities: recordOf((one) => (isNumber(one) ? one : undefined)),
  quantitiesByName: recordOf(recordOf((one) => (isNumber(one) ? one : undefined))),
  scalars(value): Readonly<Record<string, TagValue>> | undefined {
    try {
      return checkTags(value)
    } catch {
      return undefined
    }
  },
  bounds(value) {
    if (!isObject(value)) return undefined
    const [inputTokens, outputTokens] = [range(value['inputTokens']), range(value['outputTokens'])]
    return inputTokens && outputTokens ? { inputTokens, outputTokens } : undefined
  },
  flags: listOf(text),
  attempts: listOf((value): Attempt | undefined => {
    if (!isObject(value) || !BILLABLE.includes(value['billable'] as Attempt['billable'])) return undefined
    const { status, requestId, billable } = value as { [Field in keyof Attempt]: unknown }
    if (status !== undefined && !(isNumber(status) && Number.isInteger(status) && status <= 999)) return undefined
    if (requestId !== undefined && text(requestId) === undefined) return undefined
    return {
      ...(status !== undefined && { status }),
      ...(requestId !== undefined && { requestId: requestId as string }),
      billable: billable as Attempt['billable'],
    }
  }),
  costLines: listOf((value): CostLine | undefined => {
    if (!isObject(value)) return undefined
    const { bucket, quantity, costUsd, rate } = value
    if (!text(bucket) || !isNumber(quantity) || !READERS.usd(costUsd) || !text(rate)) return undefined
    return { bucket: bucket as string, quantity, costUsd: costUsd as string, rate: rate as string }
  }),
}

const EXPECTS: Readonly<Record<FieldKind, string>> = {
  id: 'a string of 1 to 256 characters without control characters',
  time: 'a Date or an ISO 8601 string',
  text: `a string of 1 to ${MAX_TEXT_LENGTH} characters`,
  count: `a whole number from 0 to ${ABSURD}`,
  calls: `a whole number from 1 to ${ABSURD}`,
  number: `a number from 0 to ${ABSURD}`,
  boolean: 'true or false',
  usd: 'a decimal number of dollars, at least 0',
  usageSource: `one of ${USAGE_SOURCES.join(', ')}`,
  costSource: `one of ${COST_SOURCES.join(', ')}`,
  quantities: `an object of numbers from 0 to ${ABSURD}`,
  quantitiesByName: `an object of objects of numbers from 0 to ${ABSURD}`,
  scalars: 'an object of at most 32 short strings, finite numbers and booleans',
  bounds: 'an object of two ranges, `inputTokens` and `outputTokens`',
  flags: 'a list of strings',
  attempts: 'a list of attempts, each with `billable`',
  costLines: 'a list of lines, each with `bucket`, `quantity`, `costUsd` and `rate`',
}

/** The value of a field, copied; `undefined` for one that an event cannot hold. */
export function readField(field: EventField, value: unknown): unknown {
  return READERS[FIELD_KINDS[field]](value)
}

/** What a field should have been, for one sentence. */
export function expectedOf(field: EventField): string {
  return EXPECTS[FIELD_KINDS[field]]
}

export function isCount(value: unknown): value is number {
  return isNumber(value) && Number.isInteger(value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= ABSURD
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function range(value: unknown): readonly [number, number] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const [low, high] = value as unknown[]
  return isCount(low) && isCount(high) && low <= high ? [low, high] : undefined
}
