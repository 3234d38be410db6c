// The table that most pages have: calls, tokens and cost by one dimension, with what is uncertain about them said under it.

import type { ComponentChildren } from 'preact'
import { exactMoney, formatCount, usdColumn } from '../figures.ts'
import { addressOf, type Figures, type Row, type Totals } from './api.ts'
import { formatShare, per, picoOf } from './figures.ts'
import { Await, Name } from './parts.tsx'
import { rangeParams } from './route.ts'
import { useLoad, usePlace } from './state.tsx'
import { type Column, Table } from './table.tsx'

export interface SpendTableProps {
  readonly by: string
  /** What one row is: `Model`. */
  readonly name: string
  readonly where?: Readonly<Record<string, string>>
  /** At most so many rows, those that cost most. */
  readonly limit?: number
  readonly page?: number
  /** Shows only rows whose name has this in it. */
  readonly search?: string
  readonly linkOf?: (key: string) => string
  readonly extra?: 'rates'
  /** Further columns. */
  readonly more?: readonly Column<Row>[]
  readonly empty?: ComponentChildren
}

export function SpendTable(props: SpendTableProps) {
  const { by, where = {}, limit = 200 } = props
  const { range } = usePlace()
  const conditions = Object.fromEntries(Object.entries(where).map(([name, value]) => [`where.${name}`, value]))
  const params = { by, limit, ...rangeParams(range), ...conditions }
  const totals = useLoad<Totals>(addressOf('totals', params))
  return (
    <Await of={totals}>
      {(data) => <Rows {...props} data={data} csv={addressOf('totals', { ...params, limit: 10_000, format: 'csv' })} />}
    </Await>
  )
}

function Rows({
  by,
  name,
  data,
  csv,
  page,
  search = '',
  linkOf,
  extra,
  more = [],
  empty,
}: SpendTableProps & { data: Totals; csv: string }) {
  const wanted = search.trim().toLowerCase()
  const rows = data.rows.filter((row) => wanted === '' || textOf(row[by]).toLowerCase().includes(wanted))
  const usd = usdColumn([...rows.map(({ cost_usd }) => picoOf(cost_usd)), picoOf(data.total.cost_usd)])
  const { total } = data
  const isPart = data.count > data.rows.length || wanted !== ''
  const columns: Column<Row>[] = [
    {
      name,
      isText: true,
      sum: isPart ? 'All' : 'Total',
      value: (row) => textOf(row[by]),
      cell: (row) => {
        const key = row[by]
        return linkOf && typeof key === 'string' ? (
          <a href={linkOf(key)}>
            <Name text={key} />
          </a>
        ) : (
          <Name text={key} />
        )
      },
    },
    {
      name: 'Cost',
      sum: <Cost row={total} usd={usd} />,
      value: ({ cost_usd }) => picoOf(cost_usd),
      cell: (row) => <Cost row={row} usd={usd} />,
    },
    {
      name: 'Calls',
      sum: formatCount(total.calls),
      value: ({ calls }) => calls,
      cell: ({ calls }) => formatCount(calls),
    },
    {
      name: 'Errors',
      sum: formatCount(total.errors),
      value: ({ errors }) => errors,
      cell: ({ errors }) => formatCount(errors),
    },
    {
      name: 'Input',
      title: 'Input tokens, those read from the cache included',
      sum: formatCount(total.input_tokens),
      value: (row) => row.input_tokens,
      cell: (row) => formatCount(row.input_tokens),
    },
    {
      name: 'Cached',
      title: 'Share of the input that was read from the cache',
      sum: formatShare(total.cached_tokens, total.input_tokens),
      value: (row) => (row.input_tokens ? row.cached_tokens / row.input_tokens : 0),
      cell: (row) => formatShare(row.cached_tokens, row.input_tokens),
    },
    {
      name: 'Output',
      title: 'Output tokens, reasoning included',
      sum: formatCount(total.output_tokens),
      value: (row) => row.output_tokens,
      cell: (row) => formatCount(row.output_tokens),
    },
    ...(extra === 'rates' ? rates(rows) : []),
    ...more,
  ]
  return (
    <>
      <Table
        caption={`Spend by ${name.toLowerCase()}`}
        columns={columns}
        rows={rows}
        keyOf={(row) => `${row[by]}`}
        sortBy="Cost"
        csv={csv}
        {...(page !== undefined && { page })}
        empty={
          wanted === ''
            ? (empty ?? 'No calls in this range. Choose a longer one above.')
            : `Nothing has “${search}” in its name.`
        }
        hasSums={rows.length > 1}
      />
      <Marks figures={rows.length === 0 ? [] : [...rows, data.total]} />
    </>
  )
}

function rates(rows: readonly Row[]): Column<Row>[] {
  // Of calls without a price, nothing can be said.
  const perCall = (row: Row) => per(picoOf(row.cost_usd), row.calls - row.unpriced)
  const perMillion = (row: Row) =>
    row.unpriced > 0 ? undefined : per(picoOf(row.cost_usd), row.input_tokens + row.output_tokens, 1_000_000)
  const [call, million] = [perCall, perMillion].map((rate) => usdColumn(rows.map((row) => rate(row) ?? 0n)))
  const told = (rate: bigint | undefined, usd: (sum: bigint) => string) => (rate === undefined ? '–' : usd(rate))
  return [
    {
      name: 'Per call',
      title: 'Cost of a call on average',
      value: (row) => perCall(row) ?? -1n,
      cell: (row) => told(perCall(row), call!),
    },
    {
      name: 'Per million',
      title: 'Cost of a million tokens, input and output together',
      value: (row) => perMillion(row) ?? -1n,
      cell: (row) => told(perMillion(row), million!),
    },
  ]
}

/** `~`: some of the usage is estimated. `*`: some of it has no price. As in `tallygate report`. */
export function Cost({ row, usd }: { row: Figures; usd: (sum: bigint) => string }) {
  const cost = picoOf(row.cost_usd)
  const isUnknown = row.unpriced > 0 && row.unpriced === row.calls
  return (
    <span title={exactMoney(cost)}>
      {isUnknown ? 'unknown' : usd(cost)}
      <span class="mark">
        {row.estimated > 0 && '~'}
        {row.unpriced > 0 && '*'}
      </span>
    </span>
  )
}

function Marks({ figures }: { figures: readonly Figures[] }) {
  const [isEstimated, isUnpriced] = [figures.some((row) => row.estimated > 0), figures.some((row) => row.unpriced > 0)]
  if (!isEstimated && !isUnpriced) return null
  return (
    <p class="marks">
      {isEstimated && '~ The usage of some calls is estimated, in part or whole. '}
      {isUnpriced && '* Some calls have no known price, and are not in the cost.'}
    </p>
  )
}

export function textOf(value: string | number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value)
}
