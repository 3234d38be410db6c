// One tenant: its spend over time, its limits and what they refused, and what it spent on.

import { formatCount, formatMoney } from '../../figures.ts'
import { addressOf, type Limit, type Totals } from '../api.ts'
import { formatShare, picoOf } from '../figures.ts'
import { LimitForm, LimitTable } from '../limit-parts.tsx'
import { Await, Figure, Figures, MoneyFigure, Section, Title } from '../parts.tsx'
import { Refusals } from '../refusals.tsx'
import { linkTo, rangeParams } from '../route.ts'
import { SpendChart } from '../spend-chart.tsx'
import { SpendTable } from '../spend-table.tsx'
import { useLoad, usePlace } from '../state.tsx'
import { monthIn } from '../zone.ts'

export function Tenant({ id }: { id: string }) {
  const { route, range, session, reload } = usePlace()
  const where = { tenant: id }
  const totals = useLoad<Totals>(addressOf('totals', { ...rangeParams(range), 'where.tenant': id }))
  const limits = useLoad<{ readonly limits: readonly Omit<Limit, 'tenant_id'>[] }>(
    addressOf(`limits/${encodeURIComponent(id)}`),
  )
  return (
    <>
      <Title text={id}>
        <a href={linkTo(route, 'events', undefined, { tenant: id })}>Its events</a>{' '}
        <a
          href={addressOf('invoice', { tenant: id, month: monthIn(range.zone), time_zone: range.zone, format: 'html' })}
          target="_blank"
          rel="noopener"
        >
          Invoice of this month
        </a>
      </Title>
      <Await of={totals}>
        {({ total }) => (
          <Figures>
            <MoneyFigure
              name="Cost in this range"
              usd={total.cost_usd}
              note={total.resale_usd === null ? undefined : `charged ${formatMoney(picoOf(total.resale_usd))}`}
            />
            <Figure
              name="Calls"
              value={formatCount(total.calls)}
              note={`${formatShare(total.errors, total.calls)} failed`}
            />
            <Figure
              name="Input tokens"
              value={formatCount(total.input_tokens)}
              note={`${formatShare(total.cached_tokens, total.input_tokens)} cached`}
            />
            <Figure name="Output tokens" value={formatCount(total.output_tokens)} />
          </Figures>
        )}
      </Await>
      <SpendChart by="model" title="Spend by model" where={where} />
      <Section title="Limits">
        <Await of={limits}>
          {(data) => (
            <LimitTable
              limits={data.limits.map((limit) => ({ ...limit, tenant_id: id }))}
              showsTenant={false}
              changed={reload}
            />
          )}
        </Await>
        {session.role === 'admin' && <LimitForm tenant={id} changed={reload} />}
      </Section>
      <Refusals tenant={id} />
      <Section title="Models">
        <SpendTable by="model" name="Model" where={where} extra="rates" />
      </Section>
      <Section title="Features">
        <SpendTable by="feature" name="Feature" where={where} />
      </Section>
      <Section title="Users">
        <SpendTable by="user" name="User" where={where} page={10} />
      </Section>
      <Section title="Sessions">
        <SpendTable by="session" name="Session" where={where} page={10} limit={100} />
      </Section>
    </>
  )
}
