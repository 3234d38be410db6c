// Reads a log row by row: each an event with what was said beside it, or set aside with its line and the reason.

import { expected, MeterError } from '../errors.ts'
import { type LLMEvent, toWire, WIRE_NAMES } from '../event.ts'
import { manualEvent } from '../manual.ts'
import type { PriceBook } from '../pricing/price.ts'
import type { Json } from '../providers/provider.ts'
import { tenantIdFault } from '../tenant.ts'
import { checkWireEvent, explainWireEvent } from '../wire.ts'
import { createKeys, importedId } from './event-id.ts'
import { timeOf, valueAt } from './fields.ts'
import type { LogFormat, LoggedCall, RowReading } from './format.ts'
import { LOG_FORMATS } from './formats.ts'
import { type Captured, isNameless, recordLogged } from './record.ts'
import { rowsOf } from './rows.ts'

export interface ReadLogOptions {
  /** `jsonl`, `litellm`, `openai`, `anthropic` or `bedrock`. */
  readonly format: string
  /** Prices what has no cost of its own. */
  readonly book: PriceBook
  /** For calls that say no tenant. */
  readonly tenantId?: string | undefined
  /** Where in a row the tenant stands, in place of where the format has it: `metadata.customer`. */
  readonly tenantFrom?: string | undefined
  /** Epoch milliseconds: for rows that say no time. */
  readonly at?: number | undefined
  /** By the book, also where the log says what a call cost; false. */
  readonly isPricedAnew?: boolean | undefined
}

export type ReadRow =
  | {
      /** From 1. */
      readonly line: number
      readonly event: LLMEvent
      /** What was said, for a count of it: never written anywhere. Absent where the log has only events. */
      readonly captured?: Captured
    }
  | { readonly line: number; readonly fault: string }

/**
 * The rows of a log, packed by gzip or not, in constant memory. A row that cannot be read is one with a `fault`, and the
 * others follow. Throws a `MeterError` for a format that there is none of, and what `bytes` throws.
 */
export async function* readLog(bytes: AsyncIterable<Uint8Array>, options: ReadLogOptions): AsyncGenerator<ReadRow> {
  const format = formatNamed(options.format)
  const keyOf = createKeys()
  for await (const row of rowsOf(bytes, format.isTable === true)) {
    const { line } = row
    if ('fault' in row) yield row
    else yield { line, ...(await readRow(row.value, format, options, keyOf)) }
  }
}

type Outcome = { readonly event: LLMEvent; readonly captured?: Captured } | { readonly fault: string }

async function readRow(
  row: Json,
  format: LogFormat,
  options: ReadLogOptions,
  keyOf: (row: unknown) => string,
): Promise<Outcome> {
  const reading = labelled(await format.read(row), row, options)
  if ('fault' in reading) return reading
  if ('event' in reading) return reading
  const made =
    'manual' in reading ? byHand(reading.manual, options, keyOf) : recorded(reading.call, row, format, options, keyOf)
  if ('fault' in made) return made
  const wire = toWire(made.event)
  if (checkWireEvent(wire)) return made
  return { fault: (await explainWireEvent(wire)) ?? 'It is no event that a ledger can hold.' }
}

/** With the tenant from where it was said to stand; an event that somebody recorded keeps its own. */
function labelled(reading: RowReading, row: Json, { tenantFrom, tenantId }: ReadLogOptions): RowReading {
  if (!('call' in reading)) return reading
  const { call } = reading
  const named = tenantFrom === undefined ? call.labels.tenantId : valueAt(row, tenantFrom)
  const { tenantId: _, ...labels } = call.labels
  const tenant = named ?? tenantId
  if (tenant === undefined) return { call: { ...call, labels } }
  if (tenantIdFault(tenant) !== undefined)
    return { fault: 'Expected the tenant to be a string of 1 to 256 characters without control characters.' }
  return { call: { ...call, labels: { ...labels, tenantId: tenant } } }
}

function recorded(
  call: LoggedCall,
  row: Json,
  { name }: LogFormat,
  { book, at, isPricedAnew = false }: ReadLogOptions,
  keyOf: (row: unknown) => string,
): Outcome {
  const when = call.at ?? at
  if (when === undefined) return { fault: 'It does not say when the call was made: give `--at`.' }
  const eventId = importedId(`${name} ${call.id ?? keyOf(row)}`, call.at)
  try {
    const made = recordLogged(call, { book, eventId, at: when, isPricedAnew })
    return isNameless(made.event) ? { fault: 'It names no model.' } : made
  } catch (error) {
    if (!(error instanceof MeterError)) throw error
    // A short text would be quoted, and it may be an answer.
    return {
      fault: typeof call.response === 'string' ? 'Its `response` is no answer and no stream of one.' : error.message,
    }
  }
}

const FIELDS = new Map<string, string>(Object.entries(WIRE_NAMES).map(([field, name]) => [name, field]))

/** A line in the words of the wire, with a provider, a model and counts: what `trackManually` takes. */
function byHand(
  row: Json,
  { book, tenantId, tenantFrom, at }: ReadLogOptions,
  keyOf: (row: unknown) => string,
): Outcome {
  const fields = Object.fromEntries(Object.entries(row).map(([name, value]) => [FIELDS.get(name) ?? name, value]))
  const own = timeOf(fields['timestamp'])
  if (fields['timestamp'] !== undefined && own === undefined)
    return { fault: expected('timestamp', 'a time in ISO 8601', typeof fields['timestamp']) }
  const when = own ?? at
  if (when === undefined) return { fault: 'It does not say when the call was made: give `timestamp` or `--at`.' }
  if (tenantFrom !== undefined) fields['tenantId'] = valueAt(row, tenantFrom)
  const faults: string[] = []
  const { price } = manualEvent({ ...fields, timestamp: new Date(when) } as never, {
    payer: { tenantId, attribution: {} },
    appName: undefined,
    environment: undefined,
    now: when,
    // A short text would be quoted, and it may be anything.
    complain: (sentence) => faults.push(sentence.replace(/, got ".*"\.$/s, ', got a string.')),
    ignore: (names) =>
      faults.push(
        `It has no field ${names
          .slice(0, 3)
          .map((name) => `\`${name.slice(0, 40)}\``)
          .join(', ')}.`,
      ),
  })
  const [fault] = faults
  if (fault !== undefined) return { fault }
  const { event } = price(book)
  const eventId = typeof row['event_id'] === 'string' ? row['event_id'] : importedId(`jsonl ${keyOf(row)}`, own)
  return { event: { ...event, eventId } }
}

export function formatNamed(name: string): LogFormat {
  const format = LOG_FORMATS.find((one) => one.name === name)
  if (format) return format
  throw new MeterError('BAD_INPUT', expected('format', LOG_FORMATS.map((one) => one.name).join(', '), name))
}
