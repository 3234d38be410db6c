// The calls of a log that another program wrote, with what was said in them, or of one in our own words.

import { type ReadLogOptions, readLog } from '../import/read-log.ts'
import { rowsOf } from '../import/rows.ts'
import type { AuditedCall } from './labels.ts'
import { type SaidBeside, takeText } from './native-log.ts'

export type AuditedRow = (AuditedCall & { readonly line: number }) | { readonly line: number; readonly fault: string }

/** The text of a row is there while the row is looked at, and then let go. */
export async function* readAuditedLog(
  bytes: AsyncIterable<Uint8Array>,
  options: ReadLogOptions,
): AsyncGenerator<AuditedRow> {
  if (options.format !== 'jsonl') {
    for await (const row of readLog(bytes, options)) {
      if ('fault' in row) yield row
      else yield { line: row.line, event: row.event, text: row.captured }
    }
    return
  }
  /** Of the rows that have been handed on, and not come back as events yet, in their order. */
  const said: { readonly line: number; readonly beside: SaidBeside; readonly fault?: string }[] = []
  async function* events(): AsyncGenerator<Uint8Array> {
    for await (const row of rowsOf(bytes, false)) {
      const taken = 'fault' in row ? undefined : takeText(row.value)
      said.push({ line: row.line, beside: taken?.said ?? {}, ...('fault' in row && { fault: row.fault }) })
      // What cannot be read is handed on as what cannot be one, so that each row comes back.
      yield Buffer.from(`${JSON.stringify(taken?.row ?? {})}\n`)
    }
  }
  for await (const row of readLog(events(), options)) {
    const own = said.shift()!
    if ('fault' in row) yield { line: own.line, fault: own.fault ?? row.fault }
    else yield { line: own.line, event: row.event, ...own.beside }
  }
}
