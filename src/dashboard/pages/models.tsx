// Models: what they cost by the call and by the token, and how long they take.

import { formatCount } from '../../figures.ts'
import { addressOf, type Percentiles } from '../api.ts'
import { formatMs } from '../figures.ts'
import { Await, Name, Section, Title } from '../parts.tsx'
import { rangeParams } from '../route.ts'
import { SpendChart } from '../spend-chart.tsx'
import { SpendTable } from '../spend-table.tsx'
import { useLoad, usePlace } from '../state.tsx'
import { type Column, Table } from '../table.tsx'

const MEASURES = { duration_ms: 'Time of a call', time_to_first_token_ms: 'Time to the first token' } as const
/** Read in a tenth of a second; the 99th percentile is that of one of the calls beside it. */
const SAMPLE = 10_000
type Row = Percentiles['rows'][number]

export function Models() {
  return (
    <>
      <Title text="Models" />
      <SpendChart by="model" title="Spend by model" />
      <SpendTable by="model" name="Model" extra="rates" />
      {Object.entries(MEASURES).map(([of, title]) => (
        <Section key={of} title={title}>
          <Times of={of} title={title} />
        </Section>
      ))}
    </>
  )
}

function Times({ of, title }: { of: string; title: string }) {
  const { range } = usePlace()
  const params = { of, by: 'model', sample: SAMPLE, ...rangeParams(range) }
  const percentiles = useLoad<Percentiles>(addressOf('percentiles', params))
  const columns: Column<Row>[] = [
    {
      name: 'Model',
      isText: true,
      value: ({ model }) => String(model ?? ''),
      cell: ({ model }) => <Name text={model} />,
    },
    {
      name: 'Calls',
      title: 'Calls that have this figure',
      value: ({ calls }) => Number(calls),
      cell: ({ calls }) => formatCount(Number(calls)),
    },
    ...[50, 90, 95, 99].map((share) => ({
      name: `p${share}`,
      title: `${share} of a hundred calls took this long at most`,
      value: (row: Row) => Number(row[`p${share}`]),
      cell: (row: Row) => formatMs(Number(row[`p${share}`])),
    })),
  ]
  return (
    <Await of={percentiles}>
      {({ rows, sampled }) => (
        <>
          <Table
            caption={title}
            columns={columns}
            rows={rows}
            keyOf={({ model }) => String(model)}
            sortBy="Calls"
            csv={addressOf('percentiles', { ...params, format: 'csv' })}
            empty="No call in this range says how long it took."
          />
          {sampled && <p class="marks">Of a sample, spread evenly over all calls of this range.</p>}
        </>
      )}
    </Await>
  )
}
