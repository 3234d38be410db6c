// Messages of Anthropic, as its API gives them, and lines of its batches. They do not say when they were made.
// Shapes: platform.claude.com/docs/en/api/messages, 2026-11; the same that the meter reads.

import type { Json } from '../providers/provider.ts'
import { readAnswerRow } from './answers.ts'
import type { LogFormat } from './format.ts'

function isAnswer({ type, role, usage, stop_reason }: Json): boolean {
  return type === 'message' || (role === 'assistant' && usage !== undefined && stop_reason !== undefined)
}

export const anthropic: LogFormat = {
  name: 'anthropic',
  rows: 'messages or lines of batches, bare or as `response` beside `request` and `timestamp`',
  read: (row) =>
    readAnswerRow(row, 'anthropic', isAnswer, 'a message of Anthropic, the line of a batch, or one as `response`'),
}
