// What a report is asked, out of the options of the command line. Throws a `Stop` of one sentence for what cannot be asked.

import { nearest } from '../options/nearest.ts'
import { DIMENSIONS, type Dimension, type TotalsQuery } from '../sinks/ledger.ts'
import { Stop } from './command.ts'
import { formatMoment, MOMENT_FORMS, parseMoment } from './period.ts'

export type Period = Pick<TotalsQuery, 'since' | 'until' | 'tenantId'>

export interface PeriodOptions {
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly tenant?: string | undefined
}

export function dimensionsOf(list: string): Dimension[] {
  const names = list.split(',').map((name) => name.trim().toLowerCase().replaceAll('-', '_'))
  for (const name of names) {
    if (DIMENSIONS.includes(name as Dimension)) continue
    const near = nearest(name, DIMENSIONS)
    throw new Stop(
      2,
      `\`--by\` cannot group by ${JSON.stringify(name)}${near === undefined ? `; it knows ${DIMENSIONS.join(', ')}.` : `; did you mean \`${near}\`?`}`,
    )
  }
  return [...new Set(names as Dimension[])]
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
