// Which time is looked at, and by whose clocks: in the address, so that it can be shared.

import { useMemo } from 'preact/hooks'
import { linkWith, RANGES } from './route.ts'
import { usePlace } from './state.tsx'
import { dateText, momentText, zones } from './zone.ts'

export function RangePicker() {
  const { route, range, now, reload } = usePlace()
  const { params, page, of } = route
  const known = useMemo(() => zones(), [])
  const all = known.includes(range.zone) ? known : [range.zone, ...known]
  const go = (changed: Record<string, string | undefined>) => {
    location.hash = linkWith(route, { cursor: undefined, ...changed })
  }
  const chooseRange = (name: string) => {
    if (name !== 'custom') return go({ range: name, from: undefined, to: undefined })
    const from = dateText(range.since ?? now, range.zone)
    return go({ range: name, from, to: dateText((range.until ?? now + 1) - 1, range.zone) })
  }
  // One event is of its moment, whatever range is chosen.
  const hasRange = !(page === 'events' && of !== undefined)
  return (
    <form class="range" aria-label="Range and time zone" onSubmit={(event) => event.preventDefault()}>
      {hasRange && (
        <select aria-label="Range" value={range.name} onChange={(event) => chooseRange(event.currentTarget.value)}>
          {Object.entries(RANGES).map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      )}
      {hasRange && range.name === 'custom' && (
        <>
          <input
            type="date"
            aria-label="From"
            value={params.get('from') ?? ''}
            onChange={(event) => go({ from: event.currentTarget.value })}
          />
          <span>to</span>
          <input
            type="date"
            aria-label="To, that day included"
            value={params.get('to') ?? ''}
            onChange={(event) => go({ to: event.currentTarget.value })}
          />
        </>
      )}
      <select
        aria-label="Time zone"
        class="zone"
        value={range.zone}
        onChange={(event) => go({ zone: event.currentTarget.value })}
      >
        {all.map((zone) => (
          <option key={zone} value={zone}>
            {zone.replaceAll('_', ' ')}
          </option>
        ))}
      </select>
      <button type="button" class="quiet" title="It reloads by itself every 15 seconds" onClick={reload}>
        <span class="unseen">Reload. </span>
        <span class="wide">Updated </span>
        {momentText(now, range.zone).slice(-8)}
      </button>
    </form>
  )
}
