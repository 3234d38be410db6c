// A table: sorted by a click or the keyboard, longer on demand, and always there as CSV.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

export interface Column<T> {
  readonly name: string
  /** Explains the name. */
  readonly title?: string
  readonly cell: (row: T) => ComponentChildren
  /** What it is sorted by; without it, it is not. */
  readonly value?: (row: T) => bigint | number | string
  /** Text stands left, figures right, under each other. */
  readonly isText?: boolean
  /** Under the column, where the table has a last row of sums. */
  readonly sum?: ComponentChildren
}

export interface TableProps<T> {
  /** Says what it shows, for screen readers. */
  readonly caption: string
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  /** A stable name of a row. */
  readonly keyOf: (row: T) => string
  /** Which column it is sorted by at first, the largest on top; without one, as the rows come. */
  readonly sortBy?: string
  /** Where the same table is as CSV. */
  readonly csv?: string
  readonly hasSums?: boolean
  /** Instead of a table without rows. */
  readonly empty: ComponentChildren
  readonly page?: number
}

export function Table<T>({
  caption,
  columns,
  rows,
  keyOf,
  sortBy,
  csv,
  hasSums = false,
  empty,
  page = 25,
}: TableProps<T>) {
  const [sort, setSort] = useState({ name: sortBy, isDown: true })
  const [shown, setShown] = useState(page)
  if (rows.length === 0) return <p class="notice">{empty}</p>
  const value = columns.find(({ name }) => name === sort.name)?.value
  const sorted =
    value === undefined ? rows : [...rows].sort((a, b) => compare(value(a), value(b)) * (sort.isDown ? -1 : 1))
  const turn = ({ name, isText }: Column<T>) =>
    setSort((before) => ({ name, isDown: before.name === name ? !before.isDown : !isText }))
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached without a mouse */}
      <section class="scroll" tabIndex={0} aria-label={caption}>
        <table>
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th
                  key={column.name}
                  scope="col"
                  class={column.isText ? 'text' : ''}
                  title={column.title}
                  aria-sort={sort.name === column.name ? (sort.isDown ? 'descending' : 'ascending') : undefined}
                >
                  {column.value ? (
                    <button type="button" onClick={() => turn(column)}>
                      {column.name}
                    </button>
                  ) : (
                    column.name
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, shown).map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column) => (
                  <td key={column.name} class={column.isText ? 'text' : ''}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
          {hasSums && (
            <tfoot>
              <tr>
                {columns.map(({ name, sum, isText }, i) => {
                  const place = isText ? 'text' : ''
                  if (i > 0)
                    return (
                      <td key={name} class={place}>
                        {sum}
                      </td>
                    )
                  return (
                    <th key={name} scope="row" class={place}>
                      {sum}
                    </th>
                  )
                })}
              </tr>
            </tfoot>
          )}
        </table>
      </section>
      <div class="under">
        {rows.length > shown && (
          <button type="button" onClick={() => setShown(shown + 100)}>
            Show more ({rows.length - shown})
          </button>
        )}
        {csv && (
          <a href={csv} download="">
            CSV
          </a>
        )}
      </div>
    </>
  )
}

function compare(a: bigint | number | string, b: bigint | number | string): number {
  if (typeof a === 'string' && typeof b === 'string') return a.localeCompare(b)
  return a < b ? -1 : Number(a > b)
}
