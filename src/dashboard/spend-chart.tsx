// Spend over the range, by a dimension or altogether.

import { addressOf, type Series } from './api.ts'
import { Chart } from './chart.tsx'
import { Await, Notice } from './parts.tsx'
import { rangeParams } from './route.ts'
import { useLoad, usePlace } from './state.tsx'

export interface SpendChartProps {
  readonly by: string | undefined
  readonly title: string
  readonly where?: Readonly<Record<string, string>>
  readonly top?: number
  readonly none?: string
}

export function SpendChart({
  by,
  title,
  where = {},
  top = 6,
  none = by === undefined ? 'Spend' : '(none)',
}: SpendChartProps) {
  const { range } = usePlace()
  const conditions = Object.fromEntries(Object.entries(where).map(([name, value]) => [`where.${name}`, value]))
  const params = { every: range.every, time_zone: range.zone, by, top: by && top, ...rangeParams(range), ...conditions }
  const series = useLoad<Series>(addressOf('series', params))
  return (
    <Await of={series}>
      {(data) =>
        data.rows.length === 0 ? (
          <Notice>No calls in this range.</Notice>
        ) : (
          <Chart
            series={data}
            every={range.every}
            zone={range.zone}
            title={title}
            none={none}
            csv={addressOf('series', { ...params, format: 'csv' })}
          />
        )
      }
    </Await>
  )
}
