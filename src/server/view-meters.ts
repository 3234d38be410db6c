// `GET /v1/meters` and `GET /v1/refusals`: what meters say of themselves, and whom limits have refused.

import { REFUSAL_STEPS } from '../ledger/meters.ts'
import { toWireReport } from '../sinks/meter-report.ts'
import { type Addresses, toldRange } from './view-address.ts'
import { RANGE } from './view-query.ts'
import { tableOf, timeOf } from './view-rows.ts'

const METER_COLUMNS = [
  'app_name',
  'environment',
  'host_name',
  'pid',
  'meter_id',
  'tallygate',
  'node',
  'started_at',
  'at',
  'ended',
  'calls',
  'errors',
  'refused',
  'waiting',
  'waiting_since',
  'lost',
  'dead_letters',
  'unmetered',
  'problems',
] as const

const REFUSAL_COLUMNS = ['at', 'tenant', 'scope', 'window', 'code', 'calls'] as const

export const METER_ADDRESSES: Addresses = {
  '/v1/meters': ({ ledger }) => ({
    takes: [...RANGE, 'limit', 'format'],
    async view({ query, over }) {
      const asked = over()
      const meters = await ledger.meters({ ...asked, limit: query.count('limit', 1, 1000) ?? USUAL_ROWS })
      const rows = meters.map((meter) => {
        const { version: _, refusals: __, ...rest } = toWireReport({ ...meter, refusals: [] })
        return rest
      })
      return { body: { ...toldRange(asked), meters: rows }, table: () => tableOf('meters', METER_COLUMNS, rows) }
    },
  }),
  '/v1/refusals': ({ ledger }) => ({
    takes: [...RANGE, 'every', 'where', 'limit', 'format'],
    async view({ query, over }) {
      const asked = over()
      const every = query.oneOf('every', REFUSAL_STEPS) ?? 'minute'
      const limit = query.count('limit', 1, 10_000) ?? USUAL_ROWS
      const refusals = await ledger.refusals({ ...asked, every, limit })
      const rows = refusals.map(({ at, ...rest }) => ({ at: timeOf(at), ...rest }))
      return {
        body: { ...toldRange(asked), every, refusals: rows },
        table: () => tableOf('refusals', REFUSAL_COLUMNS, rows),
      }
    },
  }),
}

const USUAL_ROWS = 100
