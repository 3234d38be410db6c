// Calls that limits have refused, of everybody or of one tenant.

import { formatCount } from '../figures.ts'
import { addressOf, type Refusal } from './api.ts'
import { Await, Name, Section } from './parts.tsx'
import { linkTo, rangeParams } from './route.ts'
import { useLoad, usePlace } from './state.tsx'
import { type Column, Table } from './table.tsx'
import { momentText } from './zone.ts'

const MOST = 1000

const CODES: Readonly<Record<string, string>> = {
  LIMIT_STORE_DOWN: 'the limit store did not answer',
  UNKNOWN_PRICE: 'no known price',
  MISSING_TENANT: 'no tenant',
  OTHERS: 'further limits, not told apart',
}

export function Refusals({ tenant }: { tenant?: string }) {
  const { range } = usePlace()
  const every = range.every === 'hour' ? 'minute' : 'hour'
  const params = { ...rangeParams(range), every, limit: MOST, ...(tenant !== undefined && { 'where.tenant': tenant }) }
  const refusals = useLoad<{ readonly refusals: readonly Refusal[] }>(addressOf('refusals', params))
  return (
    <Section title="Refused in this range">
      <Await of={refusals}>
        {(data) => (
          <Listed
            rows={data.refusals}
            isHourly={every === 'hour'}
            csv={addressOf('refusals', { ...params, format: 'csv' })}
            showsTenant={tenant === undefined}
          />
        )}
      </Await>
    </Section>
  )
}

interface ListedProps {
  readonly rows: readonly Refusal[]
  readonly isHourly: boolean
  readonly csv: string
  readonly showsTenant: boolean
}

function Listed({ rows, isHourly, csv, showsTenant }: ListedProps) {
  const { route, range } = usePlace()
  const columns: Column<Refusal>[] = [
    {
      name: 'When',
      title: isHourly ? 'The hour that begins then' : 'The minute that begins then',
      isText: true,
      value: ({ at }) => Date.parse(at),
      cell: ({ at }) => momentText(Date.parse(at), range.zone),
    },
    ...(showsTenant
      ? [
          {
            name: 'Tenant',
            isText: true,
            value: ({ tenant }: Refusal) => tenant ?? '',
            cell: ({ tenant }: Refusal) =>
              tenant === null ? (
                <Name text={null} />
              ) : (
                <a href={linkTo(route, 'tenants', tenant)}>
                  <Name text={tenant} />
                </a>
              ),
          },
        ]
      : []),
    {
      name: 'Limit',
      isText: true,
      value: (row) => limitText(row),
      cell: (row) => <Name text={limitText(row)} />,
    },
    { name: 'Calls', value: ({ calls }) => calls, cell: ({ calls }) => formatCount(calls) },
  ]
  return (
    <Table
      caption="Refused"
      columns={columns}
      rows={rows}
      keyOf={({ at, tenant, scope, window, code }) => JSON.stringify([at, tenant, scope, window, code])}
      csv={csv}
      empty="No limit has refused a call in this range, as far as meters have told: choose another range above to look further back."
    />
  )
}

/** `tenant acme, user u1, per day`, and why where it was not that the money was spent. */
function limitText({ scope, window, code }: Refusal): string {
  const why = CODES[code]
  if (scope === null) return why ?? code
  const limit = [scopeText(scope), ...(window === null ? [] : [window === 'total' ? 'in total' : `per ${window}`])]
  return `${limit.join(', ')}${why === undefined ? '' : `: ${why}`}`
}

/** Of `tenant=acme&user=u1`. */
function scopeText(scope: string): string {
  if (scope === '*') return 'every call'
  try {
    return scope
      .split('&')
      .map((part) => part.split('=').map(decodeURIComponent).join(' '))
      .join(', ')
  } catch {
    return scope
  }
}
