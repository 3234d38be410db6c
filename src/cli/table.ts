// Rows laid out in columns that fit a width: names are cut first, then columns are left out.

import { cut, padEnd, padStart, printable, widthOf } from './width.ts'

export interface Column {
  readonly title: string
  /** Names stand on the left and may be cut, down to `least` columns; figures stand on the right and never are. */
  readonly least?: number
  /** Spaces before it; 2. */
  readonly gap?: number
  readonly align?: 'left' | 'right'
  /** Left out where there is no room: the highest first. */
  readonly dispensable?: number
}

/** A cell, with what colours it once it has its width. */
export interface Cell {
  readonly text: string
  readonly paint?: (text: string) => string
}

export interface Layout {
  readonly header: string
  readonly lines: readonly string[]
  /** Titles of the columns that found no room. */
  readonly leftOut: readonly string[]
}

const LAST_RESORT = 4

export function layOut(
  columns: readonly Column[],
  rows: readonly (readonly (Cell | string)[])[],
  width: number,
): Layout {
  const cells = rows.map((row) => row.map((cell) => clean(typeof cell === 'string' ? { text: cell } : cell)))
  const natural = columns.map(({ title }, i) =>
    cells.reduce((most, row) => Math.max(most, widthOf(row[i]!.text)), widthOf(title)),
  )
  const leftOut: number[] = []
  let shown = columns.map((_, i) => i)
  let widths = fit(columns, natural, shown, width)
  while (widths === undefined) {
    const next = shown
      .filter((i) => columns[i]!.dispensable !== undefined)
      .sort((a, b) => columns[b]!.dispensable! - columns[a]!.dispensable!)[0]
    if (next === undefined) break
    leftOut.push(next)
    shown = shown.filter((i) => i !== next)
    widths = fit(columns, natural, shown, width)
  }
  // Nothing is left that could go: narrower than is good to read, and still wider than asked where that does not do.
  const narrow = columns.map((column) => (column.least === undefined ? column : { ...column, least: LAST_RESORT }))
  widths ??=
    fit(narrow, natural, shown, width) ?? narrow.map(({ least }, i) => Math.min(least ?? Infinity, natural[i]!))
  const line = (row: readonly Cell[]) =>
    shown.map((i, place) => (place === 0 ? '' : gapOf(columns[i]!)) + placed(columns[i]!, row[i]!, widths[i]!)).join('')
  const header = line(columns.map(({ title }) => ({ text: title })))
  return {
    header: header.trimEnd(),
    lines: cells.map((row) => line(row).trimEnd()),
    leftOut: leftOut.sort((a, b) => a - b).map((i) => columns[i]!.title),
  }
}

function clean({ text, ...rest }: Cell): Cell {
  return { ...rest, text: printable(text) }
}

function gapOf({ gap = 2 }: Column): string {
  return ' '.repeat(gap)
}

function placed({ least, align = least === undefined ? 'right' : 'left' }: Column, cell: Cell, width: number): string {
  const text = cut(cell.text, width)
  const padded = align === 'left' ? padEnd(text, width) : padStart(text, width)
  return cell.paint && text !== '' ? padded.replace(text, () => cell.paint!(text)) : padded
}

/** The width of each column, the widest name giving way first; `undefined` where even that does not do. */
function fit(
  columns: readonly Column[],
  natural: readonly number[],
  shown: readonly number[],
  width: number,
): number[] | undefined {
  const widths = [...natural]
  const gaps = shown.slice(1).reduce((sum, i) => sum + (columns[i]!.gap ?? 2), 0)
  let excess = shown.reduce((sum, i) => sum + widths[i]!, gaps) - width
  while (excess > 0) {
    const giving = shown
      .filter((i) => columns[i]!.least !== undefined && widths[i]! > columns[i]!.least)
      .sort((a, b) => widths[b]! - widths[a]!)[0]
    if (giving === undefined) return undefined
    widths[giving]!--
    excess--
  }
  return widths
}
