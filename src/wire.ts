// What may travel: the rules of a wire event, as a fast check for every event and as zod schemas that explain a refusal.

import { EVENT_FIELDS, SCHEMA_VERSION, WIRE_NAMES } from './event.ts'
import { parseUsd } from './money.ts'
import { MAX_TENANT_ID_LENGTH } from './tenant.ts'
import {
  BILLABLE,
  COST_SOURCES,
  FIELD_KINDS,
  type FieldKind,
  MAX_ENTRIES,
  MAX_EVENT_PICO,
  MAX_TEXT_LENGTH,
  REQUIRED_FIELDS,
  USAGE_SOURCES,
} from './wire-fields.ts'

// Halves of a pair too, which a database writes as one and the same character: two ids would be one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const CONTROL = /[\u0000-\u001f\u007f\ud800-\udfff]/u
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/
const USD = /^\d{1,7}(?:\.\d{1,12})?$/

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string' && value.length <= MAX_TEXT_LENGTH
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isQuantity: Check = (value) => typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY
const isScalar: Check = (value) =>
  typeof value === 'string' ? value.length <= MAX_TEXT_LENGTH : typeof value === 'boolean' || Number.isFinite(value)
const isRange: Check = (value) =>
  Array.isArray(value) && value.length === 2 && isCount(value[0]) && isCount(value[1]) && value[0] <= value[1]

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TENANT_ID_LENGTH && !CONTROL.test(value)
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value))
}

function isUsd(value: unknown): boolean {
  if (typeof value !== 'string' || !USD.test(value)) return false
  const wholeDigits = value.includes('.') ? value.indexOf('.') : value.length
  return wholeDigits < 7 || parseUsd(value)! <= MAX_EVENT_PICO
}

const isOneOf =
  (names: readonly string[]): Check =>
  (value) =>
    names.includes(value as string)

function isListOf(isItem: Check): Check {
  return (value) => Array.isArray(value) && value.length <= MAX_ENTRIES && value.every(isItem)
}

function isRecordOf(isValue: Check): Check {
  return (value) => {
    if (!isObject(value)) return false
    const names = Object.keys(value)
    return names.length <= MAX_ENTRIES && names.every((name) => isText(name) && isValue(value[name]))
  }
}

const isBillable = isOneOf(BILLABLE)
const isAttempt: Check = (value) =>
  isObject(value) &&
  (value.status === undefined || (isCount(value.status) && (value.status as number) <= 999)) &&
  (value.request_id === undefined || isText(value.request_id)) &&
  isBillable(value.billable)
const isCostLine: Check = (value) =>
  isObject(value) && isText(value.bucket) && isQuantity(value.quantity) && isUsd(value.cost_usd) && isText(value.rate)

const CHECKS: Record<FieldKind, Check> = {
  id: isId,
  time: isTime,
  text: isText,
  count: isCount,
  calls: (value) => isCount(value) && value !== 0,
  number: isQuantity,
  boolean: (value) => typeof value === 'boolean',
  usd: isUsd,
  usageSource: isOneOf(USAGE_SOURCES),
  costSource: isOneOf(COST_SOURCES),
  quantities: isRecordOf(isQuantity),
  quantitiesByName: isRecordOf(isRecordOf(isQuantity)),
  scalars: isRecordOf(isScalar),
  bounds: (value) => isObject(value) && isRange(value.input_tokens) && isRange(value.output_tokens),
  flags: isListOf(isText),
  attempts: isListOf(isAttempt),
  costLines: isListOf(isCostLine),
}

const CHECK_OF = new Map<string, Check>(EVENT_FIELDS.map((field) => [WIRE_NAMES[field], CHECKS[FIELD_KINDS[field]]]))
CHECK_OF.set('schema_version', (value) => CHECKS.calls(value) && (value as number) <= SCHEMA_VERSION)
const REQUIRED_NAMES = REQUIRED_FIELDS.map((field) => WIRE_NAMES[field])

/**
 * Whether a value is a wire event, at a fraction of what zod costs. Unknown fields are no fault, so that a newer
 * sender is understood, and `null` is the same as left out. `explainWireEvent` says what is wrong.
 */
export function checkWireEvent(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const name of REQUIRED_NAMES) if (value[name] === undefined || value[name] === null) return false
  for (const name of Object.keys(value)) {
    const entry = value[name]
    if (entry === null || entry === undefined) continue
    if (CHECK_OF.get(name)?.(entry) === false) return false
  }
  return true
}

/** The body of a `POST`; each event is checked on its own, so that one bad event does not refuse the others. */
export interface WireBatch {
  readonly schema_version: number
  readonly batch_id: string
  readonly events: readonly unknown[]
}

export function checkWireBatch(value: unknown): value is WireBatch {
  return isObject(value) && CHECKS.calls(value.schema_version) && isId(value.batch_id) && Array.isArray(value.events)
}

type Schemas = Awaited<ReturnType<typeof buildSchemas>>
let schemas: Promise<Schemas> | undefined

/** The zod schema of a wire event, for whoever builds an ingest endpoint of their own. */
export async function wireEventSchema(): Promise<Schemas['event']> {
  return (await (schemas ??= buildSchemas())).event
}

/** One sentence on the first thing that is wrong with a wire event, quoting none of its text; `undefined` when it is right. */
export async function explainWireEvent(value: unknown): Promise<string | undefined> {
  return explain((await (schemas ??= buildSchemas())).event, 'event', value)
}

/** The same for the body of a `POST`. */
export async function explainWireBatch(value: unknown): Promise<string | undefined> {
  return explain((await (schemas ??= buildSchemas())).batch, 'body', value)
}

// Written apart from the checks above on purpose: a property test holds the two to the same verdicts.
async function buildSchemas() {
  const { z } = await import('zod')
  const text = z.string(TEXT).max(MAX_TEXT_LENGTH, TEXT)
  const id = z
    .string(ID)
    .min(1, ID)
    .max(MAX_TENANT_ID_LENGTH, ID)
    .refine((value) => !CONTROL.test(value), ID)
  const count = z.int(COUNT).min(0, COUNT)
  const quantity = z.number(QUANTITY).min(0, QUANTITY)
  const range = z.tuple([count, count], RANGE).refine(([low, high]) => low <= high, RANGE)
  const usd = z
    .string(MONEY)
    .regex(USD, MONEY)
    .refine((value) => (parseUsd(value) ?? 0n) <= MAX_EVENT_PICO, MONEY)
  const list = <T extends import('zod').ZodType>(item: T) => z.array(item, LIST).max(MAX_ENTRIES, LIST)
  // z.record() passes over a key named __proto__, which JSON can hold.
  const record = (expectation: string, entry: import('zod').ZodType) =>
    z.custom<Record<string, unknown>>(isObject, expectation).superRefine((value, context) => {
      const names = Object.keys(value)
      if (names.length > MAX_ENTRIES || !names.every(isText)) context.addIssue({ code: 'custom', message: expectation })
      for (const name of names) {
        if (entry.safeParse(value[name]).success) continue
        context.addIssue({ code: 'custom', message: expectation, path: name.length > 40 ? [] : [name] })
        return
      }
    })
  const kinds: Record<FieldKind, import('zod').ZodType> = {
    id,
    text,
    count,
    usd,
    time: z.string(INSTANT).refine(isTime, INSTANT),
    calls: z.int(CALLS).min(1, CALLS),
    number: quantity,
    boolean: z.boolean('a boolean'),
    usageSource: z.enum(USAGE_SOURCES, `one of ${USAGE_SOURCES.join(', ')}`),
    costSource: z.enum(COST_SOURCES, `one of ${COST_SOURCES.join(', ')}`),
    quantities: record(QUANTITIES, quantity),
    quantitiesByName: record(QUANTITIES_BY_NAME, record(QUANTITIES, quantity)),
    scalars: record(SCALARS, z.union([text, z.boolean(), z.number()])),
    bounds: z.object({ input_tokens: range, output_tokens: range }, 'an object of two ranges'),
    flags: list(text),
    attempts: list(
      z.object(
        {
          status: z.int(STATUS).min(0, STATUS).max(999, STATUS).optional(),
          request_id: text.optional(),
          billable: z.enum(BILLABLE, `one of ${BILLABLE.join(', ')}`),
        },
        'an object',
      ),
    ),
    costLines: list(z.object({ bucket: text, quantity, cost_usd: usd, rate: text }, 'an object')),
  }
  const required = new Set<string>(REQUIRED_FIELDS)
  const shape = Object.fromEntries(
    EVENT_FIELDS.map((field) => {
      const kind = kinds[FIELD_KINDS[field]]
      return [WIRE_NAMES[field], required.has(field) ? kind : kind.nullish()]
    }),
  )
  const version = z.int(VERSION).min(1, VERSION)
  return {
    event: z.object({ schema_version: version.max(SCHEMA_VERSION, VERSION).nullish(), ...shape }, 'an object'),
    batch: z.object(
      { schema_version: z.int(COUNT).min(1, COUNT), batch_id: id, events: z.array(z.unknown(), 'an array') },
      'an object',
    ),
  }
}

const TEXT = `a string of at most ${MAX_TEXT_LENGTH} characters`
const ID = `a string of 1 to ${MAX_TENANT_ID_LENGTH} characters without control characters`
const COUNT = 'a whole number of 0 or more'
const CALLS = 'a whole number above 0'
const QUANTITY = 'a finite number of 0 or more'
const RANGE = 'a pair of whole numbers, the lower one first'
const MONEY = `a string of decimal digits in dollars, at most 12 behind the point, such as '0.0000025'`
const INSTANT = 'an ISO 8601 time with its zone'
const LIST = `a list of at most ${MAX_ENTRIES} entries`
const QUANTITIES = `an object of at most ${MAX_ENTRIES} finite numbers of 0 or more`
const QUANTITIES_BY_NAME = `an object of at most ${MAX_ENTRIES} objects of finite numbers of 0 or more`
const SCALARS = `an object of at most ${MAX_ENTRIES} short strings, finite numbers and booleans`
const STATUS = 'an HTTP status'
const VERSION = `a version from 1 to ${SCHEMA_VERSION}`

/** One sentence on the first thing that a schema, whose messages say what was expected, refuses. */
export function explain(schema: import('zod').ZodType, whole: string, value: unknown): string | undefined {
  const issue = schema.safeParse(value).error?.issues[0]
  if (issue === undefined) return undefined
  let found = value
  for (const step of issue.path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[step]
  return `Expected \`${issue.path.map(String).join('.') || whole}\` to be ${issue.message}, got ${sketch(found)}.`
}

/** What a value is, without a word of its text: this sentence travels back over the network and into logs. */
function sketch(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return `a string of ${value.length} characters`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return `\`${value}\``
  if (Array.isArray(value)) return `a list of ${value.length}`
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
