// Answers of OpenAI, as its API gives and its dashboard exports them: chat completions, responses, embeddings, lines of batches.
// Shapes: developers.openai.com/api/reference, 2026-11; the same that the meter reads.

import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'
import { readAnswerRow } from './answers.ts'
import type { LogFormat } from './format.ts'

const OBJECTS = ['chat.completion', 'response', 'text_completion', 'list', 'video', 'realtime.response']

function isAnswer({ object, usage, choices, data }: Json): boolean {
  if (typeof object === 'string') return OBJECTS.includes(object)
  return isObject(usage) && (Array.isArray(choices) || Array.isArray(data))
}

export const openai: LogFormat = {
  name: 'openai',
  rows: 'chat completions, responses, embeddings or lines of batches, bare or as `response` beside `request` and `timestamp`',
  read: (row) =>
    readAnswerRow(
      row,
      'openai',
      isAnswer,
      'an answer of OpenAI: a chat completion, a response, the line of a batch, or one as `response`',
    ),
}
