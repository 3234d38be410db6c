// What a report is asked, out of the options of the command line. Throws a `Stop` of one sentence for what cannot be asked.

import type { Dimension, Where } from '../ledger/query.ts'
import { nearest } from '../options/nearest.ts'
import { DIMENSIONS, type TotalsQuery } from '../sinks/ledger.ts'
import { type Option, type Options, Stop } from './command.ts'
import { formatMoment, MOMENT_FORMS, parseMoment } from './period.ts'

/** Which calls, by time and by who pays: what `periodOf` takes. */
export const PERIOD = {
  since: { type: 'string', value: 'moment', help: `Calls made from then on: ${MOMENT_FORMS}. In UTC.` },
  until: { type: 'string', value: 'moment', help: 'Calls made before then, in the same forms.' },
  tenant: { type: 'string', value: 'id', help: 'Calls of this tenant only.' },
} as const satisfies Options

/** Which calls, by any label: what `whereOf` takes. */
export const WHERE = {
  type: 'string',
  multiple: true,
  value: 'name=value',
  help: 'Calls with this value of anything that `report --by` knows, as there.',
} as const satisfies Option

export type Period = Pick<TotalsQuery, 'since' | 'until' | 'tenantId'>

export interface PeriodOptions {
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly tenant?: string | undefined
}

export function dimensionsOf(list: string): Dimension[] {
  return [...new Set(list.split(',').map((name) => dimensionOf('by', name)))]
}

/** `feature=search` or, for calls without one, `feature`; several values of one name are alternatives. */
export function whereOf(given: readonly string[] = []): Where {
  const where: Record<string, (string | null)[]> = {}
  for (const text of given) {
    const at = text.indexOf('=')
    const name = dimensionOf('where', at === -1 ? text : text.slice(0, at))
    where[name] = [...(where[name] ?? []), at === -1 ? null : text.slice(at + 1)]
  }
  return where
}

function dimensionOf(option: string, text: string): Dimension {
  const plain = text.trim()
  if (/^tag:./.test(plain)) return plain as Dimension
  const name = plain.toLowerCase().replaceAll('-', '_')
  if (DIMENSIONS.includes(name as (typeof DIMENSIONS)[number])) return name as Dimension
  const near = nearest(name, DIMENSIONS)
  throw new Stop(
    2,
    `\`--${option}\` cannot ${option === 'by' ? 'group by' : 'tell'} ${JSON.stringify(name)}${near === undefined ? `; it knows ${DIMENSIONS.join(', ')}, and tag:<name>.` : `; did you mean \`${near}\`?`}`,
  )
}

export function periodOf({ since, until, tenant }: PeriodOptions, now: number): Period {
  const from = momentOf('since', since, now)
  const to = momentOf('until', until, now)
  if (from !== undefined && to !== undefined && from >= to)
    throw new Stop(2, `Nothing lies between \`--since\` (${formatMoment(from)}) and \`--until\` (${formatMoment(to)}).`)
  return {
    ...(from !== undefined && { since: from }),
    ...(to !== undefined && { until: to }),
    ...(tenant !== undefined && { tenantId: tenant }),
  }
}

function momentOf(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const at = parseMoment(text, now)
  if (at === undefined) throw new Stop(2, `\`--${option}\` takes ${MOMENT_FORMS}; got ${JSON.stringify(text)}.`)
  return at
}

export function topOf(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Stop(2, `\`--top\` takes a whole number above 0; got ${JSON.stringify(text)}.`)
  return Number(text)
}

export function inWords({ since, until, tenantId }: Period): string {
  const whose = tenantId === undefined ? '' : `${tenantId}, `
  if (since === undefined && until === undefined) return `${whose}all time`
  const from = since === undefined ? '' : `from ${formatMoment(since)} UTC `
  return `${whose}${from}to ${until === undefined ? 'now' : `${formatMoment(until)} UTC`}`
}
