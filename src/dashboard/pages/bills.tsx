// Bills: what providers billed beside what was logged, day by day, and why the two differ.

import { exactMoney, usdColumn } from '../../figures.ts'
import { addressOf, type CauseSum, type ReconciledDay, type Reconciliations } from '../api.ts'
import { formatShare, picoOf } from '../figures.ts'
import { Await, Figures, MoneyFigure, Name, Section, Title } from '../parts.tsx'
import { rangeParams } from '../route.ts'
import { useLoad, usePlace } from '../state.tsx'
import { type Column, Table } from '../table.tsx'
import { momentText } from '../zone.ts'

const STATUS = { ok: 'fine', warn: 'drifts', fail: 'drifts too far' } as const
const RANK = { ok: 0, warn: 1, fail: 2 } as const

export function Bills() {
  const { range } = usePlace()
  const params = rangeParams(range)
  const bills = useLoad<Reconciliations>(addressOf('reconciliations', params))
  return (
    <>
      <Title text="Bills" />
      <Await of={bills}>
        {(data) => (
          <>
            {data.rows.length > 0 && <Sums total={data.total} />}
            <Days rows={data.rows} csv={addressOf('reconciliations', { ...params, format: 'csv' })} />
            {data.total.causes.length > 0 && <Causes total={data.total} />}
          </>
        )}
      </Await>
    </>
  )
}

function Sums({ total }: { total: Reconciliations['total'] }) {
  return (
    <Figures>
      <MoneyFigure name="Billed" usd={total.billed_usd} />
      <MoneyFigure name="Logged" usd={total.logged_usd} />
      <MoneyFigure name="Difference" usd={total.difference_usd} note={`${shareOf(total)} of the bill`} />
    </Figures>
  )
}

function Days({ rows, csv }: { rows: readonly ReconciledDay[]; csv: string }) {
  const { range } = usePlace()
  return (
    <Table
      caption="Bills by day and source"
      rows={rows}
      keyOf={({ day, source }) => `${day} ${source}`}
      csv={csv}
      empty={
        <>
          No bill of this range was compared with the ledger yet. <code>{COMMAND}</code> asks the provider for its bill
          of a day and compares it; docs/reconcile.md says how to do so every day.
        </>
      }
      columns={[
        {
          name: 'Day',
          title: 'In UTC, as providers bill',
          isText: true,
          value: ({ day }) => day,
          cell: ({ day, compared_at }) => (
            <span title={`Compared ${momentText(Date.parse(compared_at), range.zone)}`}>{day}</span>
          ),
        },
        { name: 'Source', isText: true, value: ({ source }) => source, cell: ({ source }) => <Name text={source} /> },
        money('Billed', rows, ({ billed_usd }) => billed_usd),
        money('Logged', rows, ({ logged_usd }) => logged_usd),
        money('Difference', rows, ({ difference_usd }) => difference_usd, 'Billed less logged'),
        {
          name: 'Share',
          title: 'Of the bill, how much of it is the difference',
          value: (row) => partOf(row),
          cell: (row) => shareOf(row),
        },
        {
          name: 'Status',
          title: 'Whether volume or price drift by more than they may',
          isText: true,
          value: ({ status }) => (status === null ? -1 : RANK[status]),
          cell: ({ status }) => (
            <span class={status === 'fail' ? 'bad' : status === 'warn' ? 'fair' : ''}>
              {status === null ? 'not known' : STATUS[status]}
            </span>
          ),
        },
        {
          name: 'Causes',
          title: 'The largest first; their sum is the difference',
          isText: true,
          cell: ({ causes }) => <CauseWords causes={causes} />,
        },
      ]}
    />
  )
}

const COMMAND = 'npx tallygate reconcile --provider openai --day yesterday'

function CauseWords({ causes }: { causes: readonly CauseSum[] }) {
  if (causes.length === 0) return <span class="none">none</span>
  return (
    <span class="wrap" title={causes.map(({ cause, usd }) => `${cause} ${exactMoney(picoOf(usd))}`).join(', ')}>
      {causes.map(({ cause }) => cause).join(', ')}
    </span>
  )
}

function Causes({ total }: { total: Reconciliations['total'] }) {
  const rows = total.causes
  const sum = picoOf(total.difference_usd)
  const usd = usdColumn([...rows.map(({ usd }) => picoOf(usd)), sum])
  return (
    <Section title="Causes in this range">
      <Table
        caption="Causes in this range"
        rows={rows}
        keyOf={({ cause }) => cause}
        hasSums
        empty="There is no difference in this range."
        columns={[
          { name: 'Cause', isText: true, sum: 'Difference', value: ({ cause }) => cause, cell: ({ cause }) => cause },
          {
            name: 'Billed less logged',
            sum: <span title={exactMoney(sum)}>{usd(sum)}</span>,
            value: (row) => picoOf(row.usd),
            cell: (row) => <span title={exactMoney(picoOf(row.usd))}>{usd(picoOf(row.usd))}</span>,
          },
        ]}
      />
    </Section>
  )
}

function money(
  name: string,
  rows: readonly ReconciledDay[],
  of: (row: ReconciledDay) => string,
  title?: string,
): Column<ReconciledDay> {
  const usd = usdColumn(rows.map((row) => picoOf(of(row))))
  return {
    name,
    ...(title && { title }),
    value: (row) => picoOf(of(row)),
    cell: (row) => <span title={exactMoney(picoOf(of(row)))}>{usd(picoOf(of(row)))}</span>,
  }
}

type Sides = Pick<ReconciledDay, 'billed_usd' | 'difference_usd'>

/** In millionths of the bill. */
function partOf({ billed_usd, difference_usd }: Sides): bigint {
  const billed = picoOf(billed_usd)
  return billed === 0n ? 0n : (picoOf(difference_usd) * 1_000_000n) / billed
}

/** `-3.2 %`; where nothing was billed there is no share. */
function shareOf(sides: Sides): string {
  const [billed, difference] = [picoOf(sides.billed_usd), picoOf(sides.difference_usd)]
  if (billed === 0n) return difference === 0n ? '0 %' : '–'
  const share = formatShare(Math.abs(Number(difference)), Math.abs(Number(billed)))
  return difference < 0n ? `-${share}` : share
}
