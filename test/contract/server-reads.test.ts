// What readers of a server may do to each other and to those who write: an old answer, a failing question, a huge one.

import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MeterError } from '../../src/errors.ts'
import { openLedger } from '../../src/ledger/open.ts'
import { createIngest } from '../../src/server/ingest.ts'
import type { ViewLedger } from '../../src/server/view-ledger.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'

/** A server over a real ledger, with a clock that stands still but for what `slow` takes. */
async function stage(over: (views: ViewLedger, slow: () => void) => Partial<ViewLedger> = () => ({})) {
  let at = Date.UTC(2026, 10, 22, 10, 30)
  const slow = () => void (at += 1000)
  const folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.limits()
  const views = openLedger({ path })
  onTestFinished(async () => {
    await views.close()
    await ledger.close()
    folder[Symbol.dispose]()
  })
  const slowly = {
    ...ledger,
    async limits() {
      slow()
      return ledger.limits()
    },
  }
  const handler = createIngest({
    ledger: slowly,
    views: { ...views, ...over(views, slow) },
    apiKeys: ['k-1'],
    onProblem: () => {},
    now: () => at,
  })
  const ask = (address: string, init: RequestInit = {}) =>
    handler(new Request(`http://server${address}`, { ...init, headers: { authorization: 'Bearer k-1' } }))
  const send = (eventId: string) => {
    const event = { event_id: eventId, timestamp: '2026-11-22T10:00:00Z', provider: 'openai', model: 'm' }
    const events = [{ ...event, endpoint: 'responses', usage_source: 'reported', tenant_id: 'acme' }]
    return ask('/v1/ingest', { method: 'POST', body: JSON.stringify({ schema_version: 1, batch_id: eventId, events }) })
  }
  return { ask, send, slow }
}

test('a limit that I set is in the list at once, though the list was slow before', async () => {
  const { ask } = await stage()
  expect(await (await ask('/v1/limits')).json()).toEqual({ limits: [] })
  await ask('/v1/limits/acme', { method: 'PUT', body: '{ "usd": 50 }' })
  expect(await (await ask('/v1/limits')).json()).toMatchObject({ limits: [{ tenant_id: 'acme', limit_usd: '50' }] })
})

test('health is told as it is now, however long it took to find out', async () => {
  const { ask, slow, send } = await stage((views, slow) => ({
    events: (asked) => {
      slow()
      return views.events(asked)
    },
  }))
  expect(await (await ask('/v1/health')).json()).toMatchObject({ newest_event_at: null })
  await send('e-1')
  slow()
  const response = await ask('/v1/health')
  expect(response.headers.get('age')).toBeNull()
  expect(await response.json()).toMatchObject({ newest_event_at: '2026-11-22T10:00:00.000Z' })
})

test('the CSV of a slow table is the table that I look at, and is not asked for anew', async () => {
  let asked = 0
  const { ask } = await stage((views, slow) => ({
    totals: (options) => {
      asked++
      slow()
      return views.totals(options)
    },
  }))
  await ask('/v1/totals?by=user')
  expect(await (await ask('/v1/totals?by=user&format=csv')).text()).toMatch(/^user,calls,/)
  expect(asked).toBe(1)
})

test('a question that fails keeps nobody’s events out, and the server stays ready', async () => {
  const { ask, send } = await stage(() => ({
    totals: () => Promise.reject(new MeterError('LEDGER_UNAVAILABLE', 'The question took too long.')),
  }))
  expect((await ask('/v1/totals')).status).toBe(503)
  expect((await send('e-1')).status).toBe(200)
  expect((await ask('/v1/totals')).status).toBe(503)
  expect((await ask('/readyz')).status).toBe(200)
})

test('a thousand filters at once are refused in a sentence, and not by the database', async () => {
  const { ask, send } = await stage()
  const filters = Array.from({ length: 1010 }, (_, i) => `where.tag:${i}=`).join('&')
  const refused = await ask(`/v1/totals?by=tenant&${filters}`)
  expect([refused.status, await refused.json()]).toEqual([
    400,
    { error: 'At most 50 dimensions can be narrowed by `where.` at once; it got 1010.' },
  ])
  expect((await send('e-1')).status).toBe(200)
})

test('all since the beginning of 1970 may be asked for as 0 milliseconds', async () => {
  const { ask, send } = await stage()
  await send('e-1')
  expect(await (await ask('/v1/totals?since=0')).json()).toMatchObject({
    since: '1970-01-01T00:00:00.000Z',
    total: { calls: 1 },
  })
})
