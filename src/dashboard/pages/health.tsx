// Health: whether events arrive and are priced, at the server and with each meter, and what went wrong.

import { formatCount } from '../../figures.ts'
import { type Health as Answer, addressOf, type Totals } from '../api.ts'
import { Meters } from '../meters.tsx'
import { Await, Figure, Figures, Name, Notice, Section, Title } from '../parts.tsx'
import { rangeParams } from '../route.ts'
import { useLoad, usePlace } from '../state.tsx'
import { Table } from '../table.tsx'
import { agoText, momentText } from '../zone.ts'

export function Health() {
  const health = useLoad<Answer>(addressOf('health'))
  return (
    <>
      <Title text="Health" />
      <Await of={health}>{(data) => <State health={data} />}</Await>
      <Meters />
      <Section title="Models without a price">
        <Unpriced />
      </Section>
    </>
  )
}

function State({ health }: { health: Answer }) {
  const { now, range } = usePlace()
  const { ready, newest_event_at, price_version, events, dead_letters, problems } = health
  const ago = (at: string | null) => (at === null ? 'none yet' : agoText(Date.parse(at), now))
  return (
    <>
      {!ready && <Notice isError>The ledger cannot be written: events wait with their senders until it can.</Notice>}
      <Figures>
        <Figure name="Ledger" value={ready ? 'can be written' : 'cannot be written'} />
        <Figure name="Newest event" value={ago(newest_event_at)} title={newest_event_at ?? undefined} />
        {dead_letters !== undefined && (
          <Figure
            name="Dead letters"
            value={formatCount(dead_letters)}
            note={dead_letters > 0 ? <code>npx tallygate dead-letters</code> : undefined}
          />
        )}
        <Figure name="Price book" value={price_version ?? 'unknown'} note="of the newest event" />
        <Figure
          name="Running"
          value={ago(health.started_at).replace(' ago', '')}
          note={`${health.version === null ? '' : `tallygate ${health.version}, `}Node ${health.node}`}
        />
        <Figure name="Memory" value={`${Math.round(health.memory_bytes / 1_048_576)} MiB`} />
      </Figures>
      <Section title="Events taken since the start">
        <Figures>
          <Figure name="Accepted" value={formatCount(events.accepted)} />
          <Figure name="Known already" value={formatCount(events.duplicate)} />
          <Figure name="Refused" value={formatCount(events.rejected)} />
        </Figures>
      </Section>
      <Section title="Problems of this server">
        <Table
          caption="Problems since the start"
          rows={problems.map((problem, i) => ({ ...problem, i }))}
          keyOf={({ i }) => String(problems.length - i)}
          empty="Nothing has gone wrong since this server started."
          columns={[
            { name: 'When', isText: true, cell: ({ at }) => momentText(Date.parse(at), range.zone) },
            { name: 'Kind', isText: true, cell: ({ kind }) => kind },
            { name: 'What', isText: true, cell: ({ message }) => <span class="wrap">{message}</span> },
          ]}
        />
      </Section>
    </>
  )
}

function Unpriced() {
  const { range } = usePlace()
  const totals = useLoad<Totals>(addressOf('totals', { by: 'provider,model', limit: 1000, ...rangeParams(range) }))
  return (
    <Await of={totals}>
      {({ rows }) => (
        <Table
          caption="Models without a price"
          rows={rows.filter(({ unpriced }) => unpriced > 0)}
          keyOf={({ provider, model }) => `${provider} ${model}`}
          sortBy="Unpriced calls"
          empty="Every call in this range has a price."
          columns={[
            {
              name: 'Provider',
              isText: true,
              value: ({ provider }) => String(provider),
              cell: ({ provider }) => <Name text={provider} />,
            },
            {
              name: 'Model',
              isText: true,
              value: ({ model }) => String(model),
              cell: ({ model }) => <Name text={model} />,
            },
            {
              name: 'Unpriced calls',
              value: ({ unpriced }) => unpriced,
              cell: ({ unpriced }) => formatCount(unpriced),
            },
            { name: 'Calls', value: ({ calls }) => calls, cell: ({ calls }) => formatCount(calls) },
          ]}
        />
      )}
    </Await>
  )
}
