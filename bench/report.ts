// What a benchmark hands to `npm run bench`: a table, and sentences to stand under it.

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly notes?: readonly string[]
}

/** A run of seconds, for a look; figures to quote come from the long one. */
export const isQuick = process.argv.includes('--quick')

export function report(table: Table): void {
  if (process.send) process.send(table)
  else console.table(table.rows.map((row) => Object.fromEntries(table.columns.map((name, at) => [name, row[at]]))))
}

export function plus(value: number, digits = 1): string {
  const text = value.toFixed(digits)
  return text.startsWith('-') ? text : `+${text}`
}
