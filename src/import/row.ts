// A row of a file, and what all ways to read one have in common.

import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'

/** A row, by the line that it begins on, from 1. */
export type Row = { readonly line: number; readonly value: Json } | { readonly line: number; readonly fault: string }

/** Takes a file text by text. */
export interface RowReader {
  take(text: string): Iterable<Row>
  /** There is no more of it. */
  end(): Iterable<Row>
}

/** A longer line is no call: it would only take all the memory. */
export const LONGEST_ROW = 64 * 1024 * 1024
export const TOO_LONG = `It is longer than ${LONGEST_ROW / 1024 / 1024} MiB.`
export const CUT_OFF = 'The file ends in the middle of it.'

/** `isLast`: nothing came behind it, not even the end of its line. */
export function rowOf(line: number, text: string, isLast: boolean): Row {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? { line, value } : { line, fault: 'Expected a JSON object.' }
  } catch {
    return { line, fault: isLast && text.startsWith('{') ? CUT_OFF : 'It is no JSON.' }
  }
}
