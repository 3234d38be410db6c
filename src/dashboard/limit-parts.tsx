// Limits: the table of them, and the form that sets one.

import { useState } from 'preact/hooks'
import { exactMoney, usdColumn } from '../figures.ts'
import { addressOf, type Limit, Refused, send } from './api.ts'
import { picoOf } from './figures.ts'
import { Meter, Name, Notice } from './parts.tsx'
import { linkTo } from './route.ts'
import { usePlace } from './state.tsx'
import { type Column, Table } from './table.tsx'
import { momentText } from './zone.ts'

const WINDOWS = ['hour', 'day', 'week', 'month', 'total']
const MODES = {
  expected: 'expected – holds what a call is likely to cost',
  hard: 'hard – holds the most that a call can cost',
  clamp: 'clamp – shortens answers to the money that is left',
  stream: 'stream – ends an answer where the money ends',
  soft: 'soft – tells, and lets calls pass',
  observe: 'observe – counts only',
}

function windowText({ window, settings = {} }: Limit): string {
  const { time_zone, anchor, rolling } = settings
  const zone = time_zone === undefined ? [] : [time_zone]
  const from = anchor === undefined ? [] : [`from ${anchor}`]
  return [window, ...(rolling ? ['rolling'] : []), ...zone, ...from].join(', ')
}

interface LimitTableProps {
  readonly limits: readonly Limit[]
  readonly showsTenant?: boolean
  readonly csv?: string
  readonly changed: () => void
}

export function LimitTable({ limits, showsTenant = true, csv, changed }: LimitTableProps) {
  const { route, range, session } = usePlace()
  const usd = usdColumn(limits.flatMap(({ limit_usd, spent_usd }) => [picoOf(limit_usd), picoOf(spent_usd)]))
  const money = (text: string) => <span title={exactMoney(picoOf(text))}>{usd(picoOf(text))}</span>
  const columns: Column<Limit>[] = [
    ...(showsTenant
      ? [
          {
            name: 'Tenant',
            isText: true,
            value: (limit: Limit) => limit.tenant_id,
            cell: ({ tenant_id }: Limit) => (
              <a href={linkTo(route, 'tenants', tenant_id)}>
                <Name text={tenant_id} />
              </a>
            ),
          },
        ]
      : []),
    { name: 'Per', isText: true, value: ({ window }) => WINDOWS.indexOf(window), cell: windowText },
    { name: 'Mode', isText: true, value: ({ mode }) => mode, cell: ({ mode }) => mode },
    { name: 'Limit', value: ({ limit_usd }) => picoOf(limit_usd), cell: ({ limit_usd }) => money(limit_usd) },
    { name: 'Spent', value: ({ spent_usd }) => picoOf(spent_usd), cell: ({ spent_usd }) => money(spent_usd) },
    {
      name: 'Used',
      value: ({ spent_usd, limit_usd }) => Number(picoOf(spent_usd)) / Math.max(1, Number(picoOf(limit_usd))),
      cell: (limit) => <Meter spent={picoOf(limit.spent_usd)} limit={picoOf(limit.limit_usd)} />,
    },
    {
      name: 'Begins anew',
      isText: true,
      value: ({ resets_at }) => resets_at ?? '9',
      cell: ({ resets_at, settings }) => {
        if (resets_at !== null) return momentText(Date.parse(resets_at), range.zone)
        return settings?.rolling ? 'piece by piece' : 'never'
      },
    },
    ...(session.role === 'admin'
      ? [{ name: 'Change', cell: (limit: Limit) => <Remove limit={limit} changed={changed} /> }]
      : []),
  ]
  return (
    <Table
      caption="Limits"
      columns={columns}
      rows={limits}
      keyOf={({ tenant_id, window }) => `${window} ${tenant_id}`}
      sortBy="Used"
      {...(csv !== undefined && { csv })}
      empty={session.role === 'admin' ? 'There is no limit yet: set one below.' : 'There is no limit.'}
    />
  )
}

/** Asks once more in its own place, so that nothing is removed by one wrong click. */
function Remove({ limit, changed }: { limit: Limit; changed: () => void }) {
  const [isSure, setSure] = useState(false)
  const [fault, setFault] = useState<string | undefined>(undefined)
  const name = `the limit per ${limit.window} of ${limit.tenant_id}`
  if (fault !== undefined) return <span role="alert">{fault}</span>
  if (!isSure)
    return (
      <button type="button" class="quiet" aria-label={`Remove ${name}`} onClick={() => setSure(true)}>
        Remove
      </button>
    )
  const remove = () =>
    send('DELETE', addressOf(`limits/${encodeURIComponent(limit.tenant_id)}`, { per: limit.window })).then(
      changed,
      (error) => setFault(sentence(error)),
    )
  return (
    <span class="sure">
      <button type="button" class="danger" aria-label={`Really remove ${name}`} onClick={() => void remove()}>
        Remove?
      </button>
      <button type="button" class="quiet" onClick={() => setSure(false)}>
        Keep
      </button>
    </span>
  )
}

export function LimitForm({ tenant, changed }: { tenant?: string; changed: () => void }) {
  const [id, setId] = useState(tenant ?? '')
  const [usd, setUsd] = useState('')
  const [per, setPer] = useState('month')
  const [mode, setMode] = useState('expected')
  const [said, setSaid] = useState<{ readonly text: string; readonly isError: boolean } | undefined>(undefined)

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    try {
      await send('PUT', addressOf(`limits/${encodeURIComponent(id)}`), { usd: usd.trim(), per, mode })
      setSaid({
        text: `Set: ${id} may spend $${usd.trim()} per ${per}. Applications follow within seconds.`,
        isError: false,
      })
      setUsd('')
      changed()
    } catch (error) {
      setSaid({ text: sentence(error), isError: true })
    }
  }

  return (
    <form class="line" onSubmit={(event) => void submit(event)} aria-label="Set a limit">
      {tenant === undefined && (
        <label>
          Tenant
          <input required value={id} onInput={(event) => setId(event.currentTarget.value)} autocomplete="off" />
        </label>
      )}
      <label>
        Dollars
        <input
          required
          inputMode="decimal"
          pattern="\s*\d+(\.\d{1,12})?\s*"
          title="Dollars, such as 20 or 0.50"
          value={usd}
          onInput={(event) => setUsd(event.currentTarget.value)}
          autocomplete="off"
        />
      </label>
      <label>
        Per
        <select value={per} onChange={(event) => setPer(event.currentTarget.value)}>
          {WINDOWS.map((window) => (
            <option key={window}>{window}</option>
          ))}
        </select>
      </label>
      <label>
        Mode
        <select value={mode} onChange={(event) => setMode(event.currentTarget.value)}>
          {Object.entries(MODES).map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <button type="submit">Set limit</button>
      <span aria-live="polite">{said && <Notice isError={said.isError}>{said.text}</Notice>}</span>
    </form>
  )
}

function sentence(error: unknown): string {
  return error instanceof Refused ? error.message : 'The server did not take it.'
}
