// One event as one line: when, whose, which model, how much, what it cost.

import type { LLMEvent } from '../event.ts'
import { formatCount, formatMoney } from '../figures.ts'
import { parseUsd } from '../money.ts'
import { cut, padEnd, padStart, printable } from './width.ts'

interface Field {
  readonly title: string
  readonly width: number
  readonly isText?: true
  read(event: LLMEvent): string
}

const FIELDS: readonly Field[] = [
  { title: 'UTC', width: 8, isText: true, read: ({ timestamp }) => timestamp.slice(11, 19) },
  { title: 'tenant', width: 14, isText: true, read: ({ tenantId }) => tenantId ?? '(no tenant)' },
  { title: 'model', width: 20, isText: true, read: ({ model }) => model },
  { title: 'in', width: 8, read: ({ inputTokens = 0 }) => formatCount(inputTokens) },
  { title: 'out', width: 7, read: ({ outputTokens = 0 }) => formatCount(outputTokens) },
  { title: 'cost', width: 9, read: costOf },
  {
    title: 'ms',
    width: 7,
    read: ({ durationMs }) => (durationMs === undefined ? '' : formatCount(Math.round(durationMs))),
  },
]
const GAP = '  '
/** As wide as the fields together on a terminal of 80 columns; what is left goes to the model and the tenant. */
const USUAL = FIELDS.reduce((sum, { width }) => sum + width + GAP.length, 0)
const WIDEST = 32

function costOf({ costUsd, costSource }: LLMEvent): string {
  const cost = costUsd === undefined ? undefined : parseUsd(costUsd)
  if (cost !== undefined) return formatMoney(cost)
  return costSource === 'unpriced' ? 'unknown' : ''
}

export function eventHeader(width: number): string {
  return lineOf(({ title }) => title, width).trimEnd()
}

export function eventLine(event: LLMEvent, width: number): string {
  const { error, calls = 1, feature } = event
  const notes = [error, calls > 1 ? `${formatCount(calls)} calls` : undefined, feature].filter(Boolean).join(' ')
  const line = lineOf((field) => field.read(event), width)
  return notes === '' ? line.trimEnd() : `${line}${GAP}${printable(notes)}`
}

function lineOf(text: (field: Field) => string, width: number): string {
  const more = Math.max(0, Math.floor((width - USUAL) / 2))
  return FIELDS.map((field) => {
    const isName = field.title === 'tenant' || field.title === 'model'
    const wide = isName ? Math.max(field.width, Math.min(WIDEST, field.width + more)) : field.width
    const shown = cut(printable(text(field)), wide)
    return field.isText ? padEnd(shown, wide) : padStart(shown, wide)
  }).join(GAP)
}
