// Comma-separated values as RFC 4180 writes them, which a spreadsheet opens without running any of them.

/** A number, exact decimal digits included, is never a formula. */
const NUMBER = /^-?\d+(\.\d+)?$/
/** What spreadsheets take for the beginning of a formula; a tab and a line break are skipped before they look. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/
const NEEDS_QUOTES = /[",\r\n]/

export type Cell = string | number | boolean | null | undefined

export function csvOf(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [header, ...rows].map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('')
}

function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  const text = String(cell)
  // An apostrophe makes it a text; the reader of a program takes off one before such a sign.
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
