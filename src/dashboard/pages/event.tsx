// One event: what was asked and used, what each line of its cost comes from, and every field that it has.

import { exactMoney, formatCount } from '../../figures.ts'
import { addressOf, type WireEvent } from '../api.ts'
import { picoOf } from '../figures.ts'
import { Await, Name, Section, Title } from '../parts.tsx'
import { linkTo } from '../route.ts'
import { useLoad, usePlace } from '../state.tsx'
import { Table } from '../table.tsx'
import { momentText } from '../zone.ts'

interface Line {
  readonly bucket: string
  readonly quantity: number
  readonly cost_usd: string
  readonly rate: string
}

/** Shown by itself, or too long to stand among the fields. */
const APART = ['cost_lines']

export function Event({ id }: { id: string }) {
  const address = `events/${encodeURIComponent(id)}`
  const event = useLoad<WireEvent>(addressOf(address))
  return (
    <>
      <Title text="Event">
        <a href={addressOf(address)} download="">
          JSON
        </a>
      </Title>
      <Await of={event}>{(data) => <Details event={data} />}</Await>
    </>
  )
}

function Details({ event }: { event: WireEvent }) {
  const { range } = usePlace()
  const lines = (event['cost_lines'] ?? []) as readonly Line[]
  const quantities = Object.entries((event['usage'] ?? {}) as Record<string, number>)
  return (
    <>
      <p class="lead">
        {momentText(Date.parse(event.timestamp), range.zone)} <span class="none">{range.zone}</span>
      </p>
      <Section title="Cost">
        <p class="big">{typeof event['cost_usd'] === 'string' ? exactMoney(picoOf(event['cost_usd'])) : 'unknown'}</p>
        <Table
          caption="What the cost is made of"
          rows={lines.map((line, i) => ({ ...line, i }))}
          keyOf={({ i }) => String(i)}
          page={100}
          empty={
            event['cost_usd'] === undefined
              ? 'No price is known for this model: see docs/prices.md for how to give one, and `npx tallygate reprice` for calls of the past.'
              : 'This cost came as one sum, without lines.'
          }
          columns={[
            { name: 'Of', isText: true, cell: ({ bucket }) => <Name text={bucket} /> },
            { name: 'Quantity', cell: ({ quantity }) => formatCount(quantity) },
            {
              name: 'Price from',
              isText: true,
              title: 'The row of the price book',
              cell: ({ rate }) => <Name text={rate} />,
            },
            { name: 'Cost', cell: ({ cost_usd }) => exactMoney(picoOf(cost_usd)) },
          ]}
        />
      </Section>
      {lines.length === 0 && quantities.length > 0 && (
        <Section title="Usage">
          <Table
            caption="What was used"
            rows={quantities}
            keyOf={([bucket]) => bucket}
            page={100}
            empty=""
            columns={[
              { name: 'Of', isText: true, cell: ([bucket]) => <Name text={bucket} /> },
              { name: 'Quantity', cell: ([, quantity]) => formatCount(quantity) },
            ]}
          />
        </Section>
      )}
      <Section title="All fields">
        <dl class="fields">
          {Object.entries(event)
            .filter(([name]) => !APART.includes(name))
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <Field name={name} value={value} />
                </dd>
              </div>
            ))}
        </dl>
      </Section>
    </>
  )
}

function Field({ name, value }: { name: string; value: unknown }) {
  const { route } = usePlace()
  if (name === 'tenant_id' && typeof value === 'string')
    return (
      <a href={linkTo(route, 'tenants', value)}>
        <bdi>{value}</bdi>
      </a>
    )
  return <bdi>{typeof value === 'string' ? value : JSON.stringify(value)}</bdi>
}
