// The addresses of the views: what each takes, what it asks of the ledger, and how it tells the answer.

import { MeterError } from '../errors.ts'
import { toWire } from '../event.ts'
import { MEASURES, ORDERS, STEPS } from '../ledger/query.ts'
import { formatUsd } from '../money.ts'
import { type Addresses, toldRange } from './view-address.ts'
import { type LimitEntry, limitsView } from './view-limits.ts'
import { METER_ADDRESSES } from './view-meters.ts'
import { RANGE } from './view-query.ts'
import { reconciliationsView } from './view-reconciliations.ts'
import { figuresOf, rowOf, tableOf, totalsTable } from './view-rows.ts'

const EVERY_MS = { hour: 3_600_000, day: 86_400_000, week: 604_800_000, month: 2_592_000_000 }
const MOST_BUCKETS = 5000
const EVENT_COLUMNS = [
  'event_id',
  'timestamp',
  'tenant_id',
  'user_id',
  'session_id',
  'feature',
  'project',
  'provider',
  'model',
  'endpoint',
  'service_tier',
  'input_tokens',
  'cached_tokens',
  'output_tokens',
  'cost_usd',
  'cost_source',
  'usage_source',
  'resale_usd',
  'duration_ms',
  'time_to_first_token_ms',
  'request_id',
  'error',
] as const

export const ADDRESSES: Addresses = {
  '/v1/summary': ({ ledger, now }) => ({
    takes: ['time_zone', 'where', 'format'],
    async view({ query, over }) {
      const timeZone = query.timeZone('time_zone') ?? 'UTC'
      const said = await ledger.summary({ now: now(), timeZone, where: over().where ?? {} })
      const periods = {
        today: said.today,
        yesterday: said.yesterday,
        yesterday_by_now: said.yesterdayByNow,
        this_month: said.thisMonth,
        last_month: said.lastMonth,
        last_month_by_now: said.lastMonthByNow,
      }
      const rows = Object.entries(periods).map(([period, row]) => ({ period, ...figuresOf(row) }))
      const { usd, low, high, days } = said.projected
      return {
        body: {
          time_zone: timeZone,
          ...Object.fromEntries(rows.map(({ period, ...figures }) => [period, figures])),
          projected: { usd: formatUsd(usd), low_usd: formatUsd(low), high_usd: formatUsd(high), days },
        },
        table: () => tableOf('summary', Object.keys(rows[0]!), rows),
      }
    },
  }),
  '/v1/totals': ({ ledger }) => ({
    takes: ['by', ...RANGE, 'where', 'order', 'limit', 'offset', 'format'],
    async view({ query, over }) {
      const by = query.dimensions('by')
      const asked = over()
      const { rows, total, count } = await ledger.totals({
        ...asked,
        by,
        order: query.oneOf('order', ORDERS) ?? 'cost',
        limit: query.count('limit', 1, 10_000) ?? 100,
        offset: query.count('offset', 0, 999_999_999) ?? 0,
      })
      return {
        body: { ...toldRange(asked), by, rows: rows.map((row) => rowOf(by, row)), total: figuresOf(total), count },
        table: () =>
          totalsTable(
            ['spend', ...by]
              .join('-')
              .replaceAll(':', '-')
              .replaceAll(/[^\w-]/g, '_'),
            by,
            rows,
          ),
      }
    },
  }),
  '/v1/series': ({ ledger, now }) => ({
    takes: ['every', 'time_zone', 'by', 'top', ...RANGE, 'where', 'format'],
    async view({ query, over }) {
      const every = query.oneOf('every', STEPS) ?? 'day'
      const timeZone = query.timeZone('time_zone') ?? 'UTC'
      const [by, further] = query.dimensions('by')
      if (further !== undefined || by === 'day')
        throw new MeterError('BAD_INPUT', '`by` of a series takes one dimension, and not `day`.')
      const asked = over()
      const { since, until = now() } = asked
      if (since !== undefined && (until - since) / EVERY_MS[every] > MOST_BUCKETS)
        throw new MeterError('BAD_INPUT', `A series has at most ${MOST_BUCKETS} points: ask for a longer \`every\`.`)
      const top = query.count('top', 1, 50) ?? 8
      const { buckets, rows } = await ledger.series({ ...asked, every, timeZone, ...(by && { by }), top })
      const starts = buckets.map((at) => new Date(at).toISOString())
      const shown = rows.map(({ key, isOther, cost, calls, inputTokens, outputTokens }) => ({
        key,
        ...(isOther && { is_other: true }),
        cost_usd: cost.map(formatUsd),
        calls,
        input_tokens: inputTokens,
        output_tokens: outputTokens,
      }))
      return {
        body: { ...toldRange(asked), every, time_zone: timeZone, by: by ?? null, buckets: starts, rows: shown },
        table: () => ({
          name: 'series',
          header: ['start', ...(by ? [by, 'is_other'] : []), 'calls', 'input_tokens', 'output_tokens', 'cost_usd'],
          rows: shown.flatMap((row) =>
            starts.map((start, i) => [
              start,
              ...(by ? [row.key, row.is_other ?? false] : []),
              row.calls[i],
              row.input_tokens[i],
              row.output_tokens[i],
              row.cost_usd[i],
            ]),
          ),
        }),
      }
    },
  }),
  '/v1/percentiles': ({ ledger }) => ({
    takes: ['of', 'by', 'limit', 'sample', ...RANGE, 'where', 'format'],
    async view({ query, over }) {
      const of = query.oneOf('of', MEASURES) ?? 'duration_ms'
      const [by, further] = query.dimensions('by')
      if (further !== undefined) throw new MeterError('BAD_INPUT', '`by` of percentiles takes one dimension.')
      const asked = over()
      const rows = await ledger.percentiles({
        ...asked,
        of,
        ...(by && { by }),
        limit: query.count('limit', 1, 1000) ?? 100,
        sample: query.count('sample', 100, 100_000),
      })
      const shown = rows.map(({ key, calls, p50, p90, p95, p99 }) => {
        const [at50, at90, at95, at99] = [p50, p90, p95, p99].map(told)
        return { ...(by && { [by]: key }), calls, p50: at50, p90: at90, p95: at95, p99: at99 }
      })
      const header = [...(by ? [by] : []), 'calls', 'p50', 'p90', 'p95', 'p99']
      return {
        body: { ...toldRange(asked), of, by: by ?? null, sampled: rows.some(({ isSample }) => isSample), rows: shown },
        table: () => tableOf(`percentiles-${of}`, header, shown),
      }
    },
  }),
  '/v1/events': ({ ledger }) => ({
    takes: ['cursor', 'limit', 'errors_only', ...RANGE, 'where', 'format'],
    async view({ query, over }) {
      const cursor = query.text('cursor')
      const { events, next } = await ledger.events({
        ...over(),
        limit: query.count('limit', 1, 1000) ?? 50,
        ...(cursor !== undefined && { cursor }),
        ...(query.flag('errors_only') && { errorsOnly: true }),
      })
      const wire = events.map(toWire)
      return { body: { events: wire, next: next ?? null }, table: () => tableOf('events', EVENT_COLUMNS, wire) }
    },
  }),
  '/v1/limits': ({ ledger, limitsOf, now }) => ({
    takes: ['format'],
    async view({ caller }) {
      const limits = await limitsView(limitsOf(caller), ledger, caller, now())
      const header: (keyof LimitEntry)[] = ['tenant_id', 'window', 'limit_usd', 'spent_usd', 'resets_at', 'mode']
      return { body: { limits }, table: () => tableOf('limits', header, limits) }
    },
  }),
  '/v1/reconciliations': ({ ledger }) => ({
    takes: ['source', ...RANGE, 'format'],
    async view({ query }) {
      const asked = query.range()
      const source = query.text('source')
      return reconciliationsView(
        await ledger.reconciliations({ ...asked, ...(source && { source }) }),
        toldRange(asked),
      )
    },
  }),
  ...METER_ADDRESSES,
  '/v1/health': ({ health }) => ({
    takes: [],
    async view() {
      const body = await health()
      return { body, table: () => tableOf('health', Object.keys(body), [body]) }
    },
  }),
  '/v1/changes': ({ changes }) => ({
    takes: ['format'],
    async view() {
      const rows = await changes!.list()
      return { body: { changes: rows }, table: () => tableOf('changes', CHANGE_COLUMNS, rows) }
    },
  }),
}
const CHANGE_COLUMNS = ['at', 'by', 'what', 'of', 'before', 'after']
/** A sum of money as its digits. */
function told(value: number | bigint): number | string {
  return typeof value === 'bigint' ? formatUsd(value) : value
}
