// The overview: today, this month and its end, and what the range was spent on.

import { formatCount, formatMoney } from '../../figures.ts'
import { addressOf, type Summary, type Figures as Sums, type Totals } from '../api.ts'
import { formatShare, picoOf } from '../figures.ts'
import { Await, Figure, Figures, MoneyFigure, Section, Title } from '../parts.tsx'
import { linkTo, linkWith, rangeParams } from '../route.ts'
import { SpendChart } from '../spend-chart.tsx'
import { SpendTable } from '../spend-table.tsx'
import { useLoad, usePlace } from '../state.tsx'

const BY = { model: 'Model', tenant: 'Tenant', feature: 'Feature', provider: 'Provider' } as const

export function Overview() {
  const { route, range } = usePlace()
  const summary = useLoad<Summary>(addressOf('summary', { time_zone: range.zone }))
  const totals = useLoad<Totals>(addressOf('totals', rangeParams(range)))
  const asked = route.params.get('by') ?? 'model'
  const by = Object.hasOwn(BY, asked) ? (asked as keyof typeof BY) : 'model'
  return (
    <>
      <Title text="Overview" />
      <Await of={summary}>{(data) => <Now summary={data} />}</Await>
      <Section
        title="Spend in this range"
        aside={
          <nav class="choices" aria-label="Group the bars by">
            {Object.entries(BY).map(([name, text]) => (
              <a key={name} href={linkWith(route, { by: name })} aria-current={name === by ? 'true' : undefined}>
                {text}
              </a>
            ))}
          </nav>
        }
      >
        <Await of={totals}>{({ total }) => <InRange total={total} />}</Await>
        <SpendChart by={by} title={`Spend by ${by}`} />
      </Section>
      <Section title="Tenants" aside={<a href={linkTo(route, 'tenants')}>All tenants</a>}>
        <SpendTable by="tenant" name="Tenant" limit={10} linkOf={(key) => linkTo(route, 'tenants', key)} />
      </Section>
      <Section title="Models" aside={<a href={linkTo(route, 'models')}>All models</a>}>
        <SpendTable by="model" name="Model" limit={10} />
      </Section>
    </>
  )
}

function Now({ summary }: { summary: Summary }) {
  const { today, yesterday_by_now, this_month, last_month, last_month_by_now, projected } = summary
  const range = `${formatMoney(picoOf(projected.low_usd))} to ${formatMoney(picoOf(projected.high_usd))}`
  return (
    <Figures>
      <MoneyFigure name="Today" usd={today.cost_usd} note={versus(today, yesterday_by_now, 'yesterday by now')} />
      <MoneyFigure
        name="This month"
        usd={this_month.cost_usd}
        note={versus(this_month, last_month_by_now, 'last month by now')}
      />
      <MoneyFigure
        name="Month’s end, projected"
        usd={projected.usd}
        note={projected.days === 0 ? 'from today alone: a guess' : `${range}, eight times of ten`}
      />
      <MoneyFigure name="Last month" usd={last_month.cost_usd} />
    </Figures>
  )
}

function versus(now: Sums, before: Sums, when: string): string {
  const [spent, was] = [picoOf(now.cost_usd), picoOf(before.cost_usd)]
  return was === spent ? `as ${when}` : `${formatMoney(was)} ${when}`
}

function InRange({ total }: { total: Sums }) {
  return (
    <Figures>
      <MoneyFigure
        name="Cost"
        usd={total.cost_usd}
        note={total.resale_usd === null ? undefined : `charged ${formatMoney(picoOf(total.resale_usd))}`}
      />
      <Figure
        name="Calls"
        value={formatCount(total.calls)}
        title={String(total.calls)}
        note={`${formatShare(total.errors, total.calls)} failed`}
      />
      <Figure
        name="Input tokens"
        value={formatCount(total.input_tokens)}
        title={String(total.input_tokens)}
        note={`${formatShare(total.cached_tokens, total.input_tokens)} cached`}
      />
      <Figure name="Output tokens" value={formatCount(total.output_tokens)} title={String(total.output_tokens)} />
      <Figure
        name="Estimated"
        value={formatShare(total.estimated, total.calls)}
        title={`${total.estimated} calls`}
        note="of calls"
      />
      <Figure
        name="Unpriced"
        value={formatShare(total.unpriced, total.calls)}
        title={`${total.unpriced} calls`}
        note="of calls"
      />
    </Figures>
  )
}
