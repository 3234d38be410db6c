// An event as the JSON of the wire, written in the caller's own turn: half the time of `toWire` and `JSON.stringify`.

import { type EventField, type LLMEvent, NESTED, SCHEMA_VERSION, WIRE_NAMES } from '../event.ts'

const START = `{"schema_version":${SCHEMA_VERSION}`
/** The lists of objects, with the members of these that are named otherwise on the wire. */
const LISTS: Partial<Record<EventField, Readonly<Record<string, string>>>> = {
  attempts: { requestId: '"request_id"' },
  costLines: { costUsd: '"cost_usd"' },
}

interface Form {
  readonly key: string
  readonly names: Readonly<Record<string, string>> | undefined
}

/** One look-up for each field. */
const FORMS = new Map<string, Form>(
  Object.entries(WIRE_NAMES).map(([field, name]) => [
    field,
    { key: `,${JSON.stringify(name)}:`, names: LISTS[field as EventField] },
  ]),
)
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a JSON string cannot hold as it is
const SPECIAL = /["\\\u0000-\u001f\ud800-\udfff]/

/** The same members as of `toWire`, in the order in which the event was put together. Throws for what no JSON can hold. */
export function wireJson(event: LLMEvent): string {
  let text = START
  for (const field in event) {
    const form = FORMS.get(field)
    const value: unknown = event[field as EventField]
    if (form === undefined || value === undefined) continue
    const { key, names } = form
    if (typeof value === 'string') text += key + quoted(value)
    else if (names !== undefined) text += key + listOf(value, names)
    else {
      const json = typeof value === 'object' && value !== null ? nested(field as EventField, value) : scalar(value)
      if (json !== undefined) text += key + json
    }
  }
  return `${text}}`
}

function nested(field: EventField, value: object): string | undefined {
  const rename = NESTED[field]
  return rename === undefined && !Array.isArray(value) ? members(value) : JSON.stringify(rename?.(value) ?? value)
}

function listOf(value: unknown, names: Readonly<Record<string, string>>): string {
  if (!Array.isArray(value)) return JSON.stringify(value)
  let text = '['
  for (let at = 0; at < value.length; at++) text += (at === 0 ? '' : ',') + members(value[at], names)
  return `${text}]`
}

/** A flat object, as nearly all of them are; anything else is left to JSON itself. */
function members(value: object | null, names?: Readonly<Record<string, string>>): string {
  const isPlain = typeof value === 'object' && value !== null && isPlainPrototype(Object.getPrototypeOf(value))
  if (!isPlain || (value as { toJSON?: unknown }).toJSON !== undefined) return JSON.stringify(value) ?? 'null'
  let text = ''
  for (const name in value) {
    const member: unknown = (value as Record<string, unknown>)[name]
    const json = typeof member === 'object' && member !== null ? JSON.stringify(member) : scalar(member)
    if (json !== undefined) text += `${text === '' ? '' : ','}${names?.[name] ?? quoted(name)}:${json}`
  }
  return `{${text}}`
}

function isPlainPrototype(prototype: unknown): boolean {
  return prototype === Object.prototype || prototype === null
}

function scalar(value: unknown): string | undefined {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number') return Number.isFinite(value) ? `${value}` : 'null'
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  return JSON.stringify(value)
}

function quoted(text: string): string {
  return text.length < 256 && !SPECIAL.test(text) ? `"${text}"` : JSON.stringify(text)
}
