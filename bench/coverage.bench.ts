// What watching the requests of the whole process costs each of them, of which most are none of the meter's business.

import { channel } from 'node:diagnostics_channel'
import OpenAI from 'openai'
import { meterOf } from './meters.ts'
import { isQuick, report } from './report.ts'
import { median, uncertainty } from './statistics.ts'

const RUNS = isQuick ? 11 : 41
const REQUESTS = 100_000

/** As undici tells of them. */
const REQUEST = {
  'to any other host': { origin: 'https://db.example.com', method: 'POST', path: '/v1/rows' },
  'to a host that is known, not billed': { origin: 'https://api.openai.com', method: 'GET', path: '/v1/models' },
}

const created = channel('undici:request:create')

/** Nanoseconds a request. */
function once(request: object): number {
  const start = process.hrtime.bigint()
  for (let i = 0; i < REQUESTS; i++) if (created.hasSubscribers) created.publish({ request })
  return Number(process.hrtime.bigint() - start) / REQUESTS
}

const rows: [string, string, string][] = []
for (const [name, request] of Object.entries(REQUEST)) {
  const plain: number[] = []
  const watched: number[] = []
  for (let run = 0; run < RUNS; run++) {
    plain.push(once(request))
    const meter = meterOf()
    meter.patch('openai', { modules: [OpenAI] })
    once(request)
    watched.push(once(request))
    await meter.close()
  }
  rows.push([name, median(plain).toFixed(0), `${median(watched).toFixed(0)} ± ${uncertainty(watched).toFixed(0)}`])
}

report({
  title: 'Watching requests (ns each)',
  columns: ['request', 'no meter', 'a meter'],
  rows,
  notes: [`Medians of ${RUNS} runs of ${REQUESTS} requests, as they are told of on Node's channel; nothing is sent.`],
})
