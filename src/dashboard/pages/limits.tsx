// All limits, setting one, whom they refused, and who changed which.

import { addressOf, type Change, type Limit } from '../api.ts'
import { LimitForm, LimitTable } from '../limit-parts.tsx'
import { Await, Name, Section, Title } from '../parts.tsx'
import { Refusals } from '../refusals.tsx'
import { useLoad, usePlace } from '../state.tsx'
import { Table } from '../table.tsx'
import { momentText } from '../zone.ts'

export function Limits() {
  const { session, reload } = usePlace()
  const limits = useLoad<{ readonly limits: readonly Limit[] }>(addressOf('limits'))
  const isAdmin = session.role === 'admin'
  return (
    <>
      <Title text="Limits" />
      <Await of={limits}>
        {(data) => <LimitTable limits={data.limits} csv={addressOf('limits', { format: 'csv' })} changed={reload} />}
      </Await>
      {isAdmin && (
        <Section title="Set a limit">
          <LimitForm changed={reload} />
        </Section>
      )}
      <Refusals />
      {isAdmin && session.project === null && <Changes />}
    </>
  )
}

function Changes() {
  const { range } = usePlace()
  const changes = useLoad<{ readonly changes: readonly Change[] }>(addressOf('changes'))
  return (
    <Section title="Changes of limits and keys">
      <Await of={changes}>
        {({ changes }) => (
          <Table
            caption="Changes of limits and keys"
            rows={changes.map((change, i) => ({ ...change, i }))}
            keyOf={({ i }) => String(changes.length - i)}
            csv={addressOf('changes', { format: 'csv' })}
            empty="Nothing has been changed through this server yet."
            columns={[
              { name: 'When', isText: true, cell: ({ at }) => momentText(Date.parse(at), range.zone) },
              { name: 'What', isText: true, cell: ({ what }) => what.replace('.', ' ') },
              { name: 'Of', isText: true, cell: ({ of }) => <Name text={of} /> },
              { name: 'Before', isText: true, cell: ({ before }) => <Name text={before} none="–" /> },
              { name: 'After', isText: true, cell: ({ after }) => <Name text={after} none="–" /> },
              {
                name: 'By key',
                isText: true,
                title: 'The name of the key: digits that open nothing',
                cell: ({ by }) => <Name text={by} />,
              },
            ]}
          />
        )}
      </Await>
    </Section>
  )
}
