// Events, newest first, a page at a time.

import { useState } from 'preact/hooks'
import { exactMoney, formatCount, usdColumn } from '../../figures.ts'
import { addressOf, type WireEvent } from '../api.ts'
import { formatMs, picoOf } from '../figures.ts'
import { Await, Name, Title } from '../parts.tsx'
import { linkTo, linkWith, rangeParams } from '../route.ts'
import { useLoad, usePlace } from '../state.tsx'
import { type Column, Table } from '../table.tsx'
import { momentText } from '../zone.ts'

const FILTERS = { tenant: 'Tenant', model: 'Model', feature: 'Feature', user: 'User' } as const
const PAGE = 50

interface Page {
  readonly events: readonly WireEvent[]
  readonly next: string | null
}

export function Events() {
  const { route, range } = usePlace()
  const { params } = route
  const where = Object.fromEntries(
    Object.keys(FILTERS).flatMap((name) => (params.get(name) ? [[`where.${name}`, params.get(name)!]] : [])),
  )
  const errorsOnly = params.get('errors') === '1'
  const asked = {
    ...rangeParams(range),
    ...where,
    errors_only: errorsOnly || undefined,
    limit: PAGE,
    cursor: params.get('cursor') ?? undefined,
  }
  const page = useLoad<Page>(addressOf('events', asked))
  return (
    <>
      <Title text="Events" />
      <Filters key={params.toString()} />
      <Await of={page}>
        {({ events, next }) => (
          <>
            <List events={events} csv={addressOf('events', { ...asked, limit: 1000, format: 'csv' })} />
            <nav class="pager" aria-label="Older and newer events">
              {params.has('cursor') && <a href={linkWith(route, { cursor: undefined })}>Newest</a>}
              {next !== null && <a href={linkWith(route, { cursor: next })}>Older</a>}
            </nav>
          </>
        )}
      </Await>
    </>
  )
}

function Filters() {
  const { route } = usePlace()
  const { params } = route
  const [values, setValues] = useState<Record<string, string>>(() =>
    Object.fromEntries(Object.keys(FILTERS).map((name) => [name, params.get(name) ?? ''])),
  )
  const go = (more: Record<string, string | undefined> = {}) => {
    const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim() || undefined]))
    location.hash = linkWith(route, { ...given, cursor: undefined, ...more })
  }
  return (
    <search>
      <form
        class="line"
        aria-label="Filter events"
        onSubmit={(event) => {
          event.preventDefault()
          go()
        }}
      >
        {Object.entries(FILTERS).map(([name, text]) => (
          <label key={name}>
            {text}
            <input
              value={values[name]}
              autocomplete="off"
              onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })}
            />
          </label>
        ))}
        <label class="check">
          <input
            type="checkbox"
            checked={params.get('errors') === '1'}
            onChange={(event) => go({ errors: event.currentTarget.checked ? '1' : undefined })}
          />
          Errors only
        </label>
        <button type="submit">Filter</button>
      </form>
    </search>
  )
}

function List({ events, csv }: { events: readonly WireEvent[]; csv: string }) {
  const { route, range } = usePlace()
  const usd = usdColumn(events.map((event) => picoOf(event['cost_usd'] as string | undefined)))
  const count = (value: unknown) => (typeof value === 'number' ? formatCount(value) : '–')
  const columns: Column<WireEvent>[] = [
    {
      name: 'When',
      isText: true,
      cell: ({ event_id, timestamp }) => (
        <a href={linkTo(route, 'events', event_id)}>{momentText(Date.parse(timestamp), range.zone)}</a>
      ),
    },
    { name: 'Tenant', isText: true, cell: (event) => <Name text={event['tenant_id'] as string} /> },
    { name: 'Model', isText: true, cell: (event) => <Name text={event['model'] as string} /> },
    { name: 'Feature', isText: true, cell: (event) => <Name text={event['feature'] as string} none="–" /> },
    { name: 'Input', cell: (event) => count(event['input_tokens']) },
    { name: 'Output', cell: (event) => count(event['output_tokens']) },
    {
      name: 'Time',
      cell: (event) => (typeof event['duration_ms'] === 'number' ? formatMs(event['duration_ms']) : '–'),
    },
    { name: 'Error', isText: true, cell: (event) => <Name text={event['error'] as string} none="–" /> },
    {
      name: 'Cost',
      cell: (event) => {
        const cost = event['cost_usd']
        if (typeof cost !== 'string') return 'unknown'
        const isEstimated = event['usage_source'] === 'estimated' || event['usage_source'] === 'partial'
        return (
          <span title={exactMoney(picoOf(cost))}>
            {usd(picoOf(cost))}
            <span class="mark">{isEstimated && '~'}</span>
          </span>
        )
      },
    },
  ]
  return (
    <Table
      caption="Events"
      columns={columns}
      rows={events}
      keyOf={({ event_id }) => event_id}
      csv={csv}
      page={PAGE}
      empty="No event fits. Take a filter away, or choose a longer range above."
    />
  )
}
