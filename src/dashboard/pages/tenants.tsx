// All tenants: search, sort, and how full their limits are.

import { useState } from 'preact/hooks'
import { addressOf, type Limit, type Row } from '../api.ts'
import { picoOf } from '../figures.ts'
import { Meter, Title } from '../parts.tsx'
import { linkTo } from '../route.ts'
import { SpendTable, textOf } from '../spend-table.tsx'
import { useLoad, usePlace } from '../state.tsx'
import type { Column } from '../table.tsx'

/** More would make the page slow; each of them has a page of its own all the same. */
const MOST_TENANTS = 5000

export function Tenants() {
  const { route } = usePlace()
  const [search, setSearch] = useState('')
  const limits = useLoad<{ readonly limits: readonly Limit[] }>(addressOf('limits'))
  const fullest = fullestOf(limits.data?.limits ?? [])
  return (
    <>
      <Title text="Tenants">
        <search>
          <form
            onSubmit={(event) => {
              event.preventDefault()
              if (search.trim() !== '') location.hash = linkTo(route, 'tenants', search.trim())
            }}
          >
            <input
              type="search"
              placeholder="Find a tenant"
              aria-label="Find a tenant"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          </form>
        </search>
      </Title>
      <SpendTable
        by="tenant"
        name="Tenant"
        limit={MOST_TENANTS}
        page={50}
        search={search}
        linkOf={(key) => linkTo(route, 'tenants', key)}
        more={fullest.size === 0 ? [] : [limitColumn(fullest)]}
        empty="No tenant has made a call in this range. Choose a longer one above, or see docs/tenants.md for how a call gets its tenant."
      />
    </>
  )
}

function limitColumn(fullest: ReadonlyMap<string, Limit>): Column<Row> {
  const limitOf = (row: Row) => fullest.get(textOf(row['tenant']))
  return {
    name: 'Limit',
    title: 'How much is spent of the limit that is nearest to its end, in its current window',
    value: (row) => shareOf(limitOf(row)),
    cell: (row) => {
      const limit = limitOf(row)
      if (limit === undefined) return <span class="none">–</span>
      return <Meter spent={picoOf(limit.spent_usd)} limit={picoOf(limit.limit_usd)} />
    },
  }
}

export function shareOf(limit: Limit | undefined): number {
  if (limit === undefined) return -1
  const most = picoOf(limit.limit_usd)
  return most === 0n ? 1 : Number((picoOf(limit.spent_usd) * 1_000_000n) / most) / 1_000_000
}

function fullestOf(limits: readonly Limit[]): ReadonlyMap<string, Limit> {
  const fullest = new Map<string, Limit>()
  for (const limit of limits)
    if (shareOf(limit) > shareOf(fullest.get(limit.tenant_id))) fullest.set(limit.tenant_id, limit)
  return fullest
}
