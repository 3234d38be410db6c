// Calls with their text, one a line of JSON: in the words of the wire, with `input`, `output`, `tools` and `video` beside them.

import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'
import type { AuditedText } from './labels.ts'

/** What a line has beside the fields of an event. */
export interface SaidBeside {
  readonly text?: AuditedText
  /** Path of the MP4 that was delivered. */
  readonly video?: string
}

const BESIDE = ['input', 'output', 'tools', 'video'] as const

/** The row without the text that stands beside its event, and that text. */
export function takeText(row: Json): { readonly row: Json; readonly said: SaidBeside } {
  if (!BESIDE.some((name) => name in row)) return { row, said: {} }
  const { input, output, tools, video, ...rest } = row
  const messages = typeof input === 'string' ? [{ role: 'user', content: input }] : input
  const request: Json = {
    ...(Array.isArray(messages) && { messages }),
    ...(Array.isArray(tools) && tools.length > 0 && { tools }),
  }
  const text: AuditedText = {
    output: () => ({ texts: textsIn(output), isTextOnly: true }),
    prompt: () => [
      ...textsIn(request['messages']),
      ...(Array.isArray(tools) ? tools.map((tool) => JSON.stringify(tool)) : []),
    ],
    request,
  }
  const hasText = input !== undefined || output !== undefined
  return { row: rest, said: { ...(hasText && { text }), ...(typeof video === 'string' && { video }) } }
}

/** A text, or a list of texts and of messages: the content of each, in whole or in parts. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  if (!isObject(value)) return []
  return [...textsIn(value['content'] ?? value['text']), ...textsIn(value['name'])]
}
