// What an export can look like: a header, and the text of an event.

import { EVENT_FIELDS, type LLMEvent, toWire, WIRE_NAMES } from '../event.ts'
import { type Cell, csvLine } from './csv.ts'
import { FOCUS_COLUMNS, focusRows } from './export-focus.ts'

export interface ExportFormat {
  readonly header: string
  /** Empty for an event that the format has no way to say. */
  text(event: LLMEvent): string
}

const NAMES = EVENT_FIELDS.map((field) => WIRE_NAMES[field])

export const EXPORT_FORMATS = {
  jsonl: { header: '', text: (event) => `${JSON.stringify(toWire(event))}\n` },
  csv: {
    header: csvLine(NAMES),
    text(event) {
      const wire = toWire(event)
      return csvLine(NAMES.map((name) => cellOf(wire[name])))
    },
  },
  focus: { header: csvLine(FOCUS_COLUMNS), text: (event) => focusRows(event).map(csvLine).join('') },
} as const satisfies Record<string, ExportFormat>

export type ExportName = keyof typeof EXPORT_FORMATS

/** Objects and lists as JSON, which begins with no sign that a spreadsheet runs. */
function cellOf(value: unknown): Cell {
  if (value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number') return value
  return JSON.stringify(value)
}
