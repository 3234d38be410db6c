// Events of the wire, as they come and as strangers make them, and what a row of one means.

import fc from 'fast-check'
import { EVENT_FIELDS, type EventField, WIRE_NAMES } from '../../src/event.ts'
import { type Cell, EVENT_COLUMNS } from '../../src/sinks/columns.ts'
import {
  BILLABLE,
  COST_SOURCES,
  FIELD_KINDS,
  type FieldKind,
  REQUIRED_FIELDS,
  USAGE_SOURCES,
} from '../../src/wire-fields.ts'

export type Wire = Record<string, unknown>

export const CALL: Wire = {
  schema_version: 1,
  event_id: '019abcde-0000-7000-8000-000000000001',
  timestamp: '2026-11-22T09:33:47.123Z',
  provider: 'openai',
  model: 'gpt-5',
  endpoint: 'chat.completions',
  stream: false,
  usage_source: 'reported',
  attempts: [{ status: 200, request_id: 'req_1', billable: 'yes' }],
  duration_ms: 812.25,
  tenant_id: 'acme',
  usage: { input: 1200, output: 340 },
  input_tokens: 1200,
  cost_usd: '0.0064',
  cost_lines: [{ bucket: 'input', quantity: 1200, cost_usd: '0.0064', rate: 'openai/gpt-5' }],
  metadata: { http_status: 200, finish_reason: 'stop', is_last: true },
}

/** What rows say, whichever way they were made: the texts of JSON as what they mean, numbers as one kind of number. */
export function meaning(row: readonly Cell[] | undefined): unknown {
  return row?.map((cell, at) => {
    const { type } = EVENT_COLUMNS[at]!
    if (cell === null) return null
    return type === 'json' ? (JSON.parse(cell as string) as unknown) : type === 'text' ? cell : Number(cell)
  })
}

/** Nearly always as it should be: an event has many fields, and one that is wrong is enough. */
const mostly = <T>(right: fc.Arbitrary<T>, wrong: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 19, arbitrary: right }, { weight: 1, arbitrary: wrong })
const text = mostly(
  fc.constantFrom('gpt-5', '"cost_usd":'.slice(1, 9), '\u2028', '🐋', 'request_id:'),
  fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('', '"cost_usd":', 'a\\', '\0')),
)
const count = mostly<number>(fc.nat(), fc.constantFrom(0, 1e21, 2 ** 53, -1, 0.5, 123_456_789_012_345))
const amount = mostly<number>(
  fc.oneof(fc.nat(), fc.constantFrom(0, 0.1, 999_999_999.12345, 123_456_789_012_345)),
  fc.oneof(fc.double({ min: 0, noNaN: true }), fc.constantFrom(1e-7, 1e21, 999_999_999.123456, -1)),
)
const usd = mostly(
  fc.tuple(fc.nat(99_999), fc.nat(999_999)).map(([whole, rest]) => `${whole}.${rest}`),
  fc.constantFrom('0', '0.000000000001', '999.999999999999', '1000', '9223372', '9223372.1', '1.', '-1', '1e3'),
)
const scalar = fc.oneof(text, amount, fc.boolean())
const VALUES: Record<FieldKind, fc.Arbitrary<unknown>> = {
  id: text,
  time: mostly<string>(
    fc.date({ noInvalidDate: true, min: new Date(0) }).map((at) => at.toISOString()),
    text,
  ),
  text,
  count,
  calls: count,
  number: amount,
  boolean: fc.boolean(),
  usd,
  usageSource: mostly<string>(fc.constantFrom(...USAGE_SOURCES), fc.constant('guessed')),
  costSource: mostly<string>(fc.constantFrom(...COST_SOURCES), fc.constant('guessed')),
  quantities: fc.dictionary(text, amount, { maxKeys: 4 }),
  quantitiesByName: fc.dictionary(text, fc.dictionary(text, amount, { maxKeys: 2 }), { maxKeys: 2 }),
  scalars: fc.dictionary(text, scalar, { maxKeys: 4 }),
  bounds: fc.constant({ input_tokens: [1, 2], output_tokens: [0, 9] }),
  flags: fc.array(text, { maxLength: 2 }),
  attempts: fc.array(
    fc.record(
      {
        status: mostly(fc.nat(999), fc.nat(2000)),
        request_id: text,
        billable: mostly<string>(fc.constantFrom(...BILLABLE), fc.constant('perhaps')),
      },
      { requiredKeys: ['billable'] },
    ),
    { maxLength: 3 },
  ),
  costLines: fc.array(fc.record({ bucket: text, quantity: amount, cost_usd: usd, rate: text }), { maxLength: 3 }),
}

/** Events of the wire in any order, nearly all of them with a field or two that is not as it should be. */
export const wireEvent = fc
  .tuple(fc.subarray<EventField>(EVENT_FIELDS, { maxLength: 12 }), fc.boolean())
  .chain(([some, isFirst]) => {
    const fields = isFirst ? [...new Set([...REQUIRED_FIELDS, ...some])] : [...new Set([...some, ...REQUIRED_FIELDS])]
    return fc.tuple(
      ...fields.map((field) => VALUES[FIELD_KINDS[field]].map((value) => [WIRE_NAMES[field], value] as const)),
    )
  })
  .map((entries) => ({ schema_version: 1, ...Object.fromEntries(entries) }) as Wire)

/** A whole event of the same names in the same order, from which a pattern is learned. */
export function modelOf(event: Wire): Wire {
  return { ...event, event_id: 'e1', timestamp: '2026-11-22T09:33:47.123Z' }
}
