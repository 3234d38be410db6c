// What came and went as a body, as far as it is looked at: the fields of a request, and how an answer is to be read.

import type { AnswerForm } from '../patch/exchange.ts'
import { isObject } from '../providers/counts.ts'
import type { Json, Route } from '../providers/provider.ts'
import { topLevelFields } from '../providers/top-level.ts'

/** The object that a text is; `undefined` for anything else. */
export function parsed(text: string): Json | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** The list that a text is. */
export function parsedList(text: string): readonly unknown[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined
  try {
    return JSON.parse(text) as readonly unknown[]
  } catch {
    return undefined
  }
}

/** The fields of a request, only those of `names` where it is text; those of a form as the text that they are. */
export function requestFields(body: unknown, names: readonly string[] | undefined): Json {
  if (typeof body === 'string') return (names ? topLevelFields(body, names) : parsed(body)) ?? {}
  return isForm(body) ? fieldsOf(body) : isObject(body) ? body : {}
}

type Form = Iterable<readonly [name: string, value: unknown]>

/** Node's FormData, or the one of a package, which is no instance of it. */
function isForm(body: unknown): body is Form {
  const form = body as { append?: unknown; getAll?: unknown } | null | undefined
  return typeof form?.append === 'function' && typeof form.getAll === 'function'
}

function fieldsOf(form: Form): Json {
  const fields: Json = {}
  for (const [name, value] of form) if (typeof value === 'string') fields[name] = value
  return fields
}

export function formOf(route: Route, isStream: boolean, contentType = 'application/json'): AnswerForm {
  // Anthropic's SDK asks for the lines of a batch's results as a stream, and their type says little: a single line is
  // JSON too.
  if (route.readLine && !route.readStream) return 'lines'
  // Speech is streamed as events without `stream` in the request.
  if (isStream || contentType.startsWith('text/event-stream')) return 'events'
  if (/^application\/json\b/.test(contentType)) return 'json'
  if (route.readLine) return 'lines'
  return route.readUnseen ? 'bytes' : 'json'
}
