// The meters of all applications, as each has last said of itself: whether its events arrive, and what went past it.

import { formatCount } from '../figures.ts'
import { addressOf, type Meter } from './api.ts'
import { Await, Name, Section } from './parts.tsx'
import { useLoad, usePlace } from './state.tsx'
import { Table } from './table.tsx'
import { agoText, momentText } from './zone.ts'

const MOST = 200

export function Meters() {
  const meters = useLoad<{ readonly meters: readonly Meter[] }>(addressOf('meters', { limit: MOST }))
  return (
    <>
      <Section title="Meters">
        <Await of={meters}>{(data) => <Standings meters={data.meters} />}</Await>
      </Section>
      <Section title="Problems of meters">
        <Await of={meters}>{(data) => <Problems meters={data.meters} />}</Await>
      </Section>
    </>
  )
}

function Standings({ meters }: { meters: readonly Meter[] }) {
  const { now, range } = usePlace()
  const ago = (at: string) => <span title={momentText(Date.parse(at), range.zone)}>{agoText(Date.parse(at), now)}</span>
  return (
    <Table
      caption="Meters"
      rows={meters}
      keyOf={({ meter_id }) => meter_id}
      csv={addressOf('meters', { limit: MOST, format: 'csv' })}
      empty={
        <>
          No meter has said anything of itself yet. Each does a minute after its first call, and when it is closed: one
          that writes into this ledger, and one whose <code>url</code> leads to <code>npx tallygate serve</code>.
        </>
      }
      columns={[
        {
          name: 'App',
          isText: true,
          value: ({ app_name }) => app_name ?? '',
          cell: ({ app_name }) => <Name text={app_name} none="(no name)" />,
        },
        {
          name: 'Environment',
          isText: true,
          value: ({ environment }) => environment ?? '',
          cell: ({ environment }) => <Name text={environment} none="–" />,
        },
        {
          name: 'Host',
          isText: true,
          value: ({ host_name }) => host_name,
          cell: ({ host_name, pid }) => (
            <span title={`Process ${pid}`}>
              <Name text={host_name} />
            </span>
          ),
        },
        {
          name: 'Version',
          isText: true,
          value: ({ tallygate }) => tallygate,
          cell: ({ tallygate, node }) => <span title={`Node ${node}`}>{tallygate}</span>,
        },
        {
          name: 'Last heard',
          title: 'A meter speaks once a minute while something happens',
          isText: true,
          value: ({ at }) => Date.parse(at),
          cell: ({ at, ended }) => (
            <>
              {ago(at)}
              {ended && ', ended'}
            </>
          ),
        },
        {
          name: 'Waiting',
          title: 'Events that are not delivered yet',
          value: ({ waiting }) => waiting,
          cell: ({ waiting, waiting_since }) => (
            <span class={isLate(waiting_since, now) ? 'bad' : ''}>
              {formatCount(waiting)}
              {waiting_since !== undefined && <> for {agoText(Date.parse(waiting_since), now).replace(' ago', '')}</>}
            </span>
          ),
        },
        {
          name: 'Lost',
          title: 'Events that were given up for want of room, or that the ledger refused for good',
          value: ({ lost, dead_letters }) => lost + dead_letters,
          cell: ({ lost, dead_letters }) => (
            <span
              class={lost + dead_letters > 0 ? 'bad' : ''}
              title={`${formatCount(lost)} for want of room, ${formatCount(dead_letters)} refused`}
            >
              {formatCount(lost + dead_letters)}
            </span>
          ),
        },
        {
          name: 'Past the meter',
          title: 'Hosts whose calls no meter has: nobody is billed for them',
          isText: true,
          value: ({ unmetered }) => unmetered.reduce((sum, { calls }) => sum + calls, 0),
          cell: ({ unmetered }) => <Unmetered hosts={unmetered} />,
        },
      ]}
    />
  )
}

/** Events leave within seconds, and a retry is at most a minute later. */
const LATE_MS = 120_000

function isLate(since: string | undefined, now: number): boolean {
  return since !== undefined && now - Date.parse(since) > LATE_MS
}

function Unmetered({ hosts }: { hosts: Meter['unmetered'] }) {
  if (hosts.length === 0) return <span class="none">none</span>
  const words = hosts.map(({ host, calls, unknown }) => {
    const counts = [
      calls > 0 ? `${formatCount(calls)} ${calls === 1 ? 'call' : 'calls'}` : '',
      unknown > 0 ? `${formatCount(unknown)} unknown` : '',
    ]
    return `${host ?? 'others'} (${counts.filter((count) => count !== '').join(', ')})`
  })
  return <span class={hosts.some(({ calls }) => calls > 0) ? 'wrap bad' : 'wrap'}>{words.join(', ')}</span>
}

function Problems({ meters }: { meters: readonly Meter[] }) {
  const { range } = usePlace()
  const rows = meters
    .flatMap(({ problems, ...meter }) => problems.map((problem, i) => ({ ...problem, meter, i })))
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
  return (
    <Table
      caption="Problems of meters"
      rows={rows}
      keyOf={({ meter, at, i }) => `${meter.meter_id} ${at} ${i}`}
      empty="No meter has told of a problem."
      columns={[
        { name: 'When', isText: true, cell: ({ at }) => momentText(Date.parse(at), range.zone) },
        {
          name: 'Meter',
          isText: true,
          cell: ({ meter }) => <Name text={`${meter.app_name ?? '(no name)'} on ${meter.host_name}`} />,
        },
        { name: 'Kind', isText: true, cell: ({ kind }) => kind },
        { name: 'What', isText: true, cell: ({ message }) => <span class="wrap">{message}</span> },
      ]}
    />
  )
}
