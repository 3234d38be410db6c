// What meters say of themselves, over real HTTP: what is taken and what is refused, and who sees which of it.

import { expect, onTestFinished, test } from 'vitest'
import type { ApiKey } from '../../src/server/keys.ts'
import { type MeterReport, toWireReport } from '../../src/sinks/meter-report.ts'
import { dashboard } from '../support/browser.ts'
import { DAY, NOV_22 } from '../support/ledgers.ts'
import { MINUTE, meterReport, refused } from '../support/meter-reports.ts'
import { readText } from '../support/source-tree.ts'

const KEYS: readonly ApiKey[] = [
  { key: 'all' },
  { key: 'looks', role: 'read' },
  { key: 'sends', role: 'ingest' },
  { key: 'acme', role: 'read', tenant: 'acme' },
  { key: 'web', project: 'web' },
]

async function stage() {
  const server = await dashboard({ apiKeys: KEYS, now: () => NOV_22 + DAY })
  onTestFinished(() => server[Symbol.asyncDispose]())
  const post = (body: unknown, key = 'sends') =>
    fetch(`${server.url}/v1/meters`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const tell = async (over: Partial<MeterReport>, key?: string) => {
    const response = await post(toWireReport(meterReport(over)), key)
    expect([response.status, await response.json()]).toEqual([200, { kept: true }])
  }
  const get = (path: string, key = 'looks') =>
    fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${key}` } })
  const json = async (path: string, key?: string) => {
    const response = await get(path, key)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { ...server, post, tell, get, json }
}

test('a report is kept, and told as it came', async () => {
  const server = await stage()
  const report = meterReport({
    waiting: 3,
    waitingSince: NOV_22,
    unmetered: [{ host: 'api.openai.com', calls: 2, unknown: 0 }],
    problems: [{ kind: 'delivery', at: NOV_22, message: 'The disk is full.' }],
    refusals: [refused({ calls: 4 })],
  })
  await server.tell(report)
  await server.tell(report)
  const { version: _, refusals: __, ...wire } = toWireReport(report)
  expect((await server.json('/v1/meters')).body).toEqual({ since: null, until: null, meters: [wire] })
  const row = { tenant: 'acme', scope: 'tenant=acme', window: 'month', code: 'LIMIT_EXCEEDED', calls: 4 }
  expect((await server.json('/v1/refusals')).body).toEqual({
    since: null,
    until: null,
    every: 'minute',
    refusals: [{ at: '2026-11-22T00:00:00.000Z', ...row }],
  })
})

test('a meter whose clock is in the year 9999 is not the latest for ever', async () => {
  const server = await stage()
  await server.tell({ meterId: 'ahead', at: Date.UTC(9999, 0) })
  const { meters } = (await server.json('/v1/meters')).body as { meters: { at: string }[] }
  expect(meters.map(({ at }) => at)).toEqual(['2026-11-23T00:00:00.000Z'])
})

test('refusals are narrowed by range and tenant, added up by hour and day, and there as CSV', async () => {
  const server = await stage()
  await server.tell({
    refusals: [
      refused({ calls: 4 }),
      refused({ at: NOV_22 + MINUTE, calls: 2 }),
      refused({ tenantId: '=b', calls: 9 }),
    ],
  })
  const calls = async (query: string) =>
    ((await server.json(`/v1/refusals?${query}`)).body.refusals as { calls: number }[]).map((row) => row.calls)
  expect(await calls('where.tenant=acme')).toEqual([2, 4])
  expect(await calls('where.tenant=acme&every=hour')).toEqual([6])
  expect(await calls('every=day')).toEqual([9, 6])
  expect(await calls('since=2026-11-22T00:01Z')).toEqual([2])
  expect(await calls('limit=1')).toEqual([2])
  expect(await calls('where.tenant=')).toEqual([])
  const csv = await (await server.get('/v1/refusals?every=day&format=csv')).text()
  expect(csv.split('\r\n')).toEqual([
    'at,tenant,scope,window,code,calls',
    "2026-11-22T00:00:00.000Z,'=b,tenant=acme,month,LIMIT_EXCEEDED,9",
    '2026-11-22T00:00:00.000Z,acme,tenant=acme,month,LIMIT_EXCEEDED,6',
    '',
  ])
  expect(await (await server.get('/v1/meters?format=csv')).text()).toMatch(/^app_name,environment,host_name,/)
  expect(await server.json('/v1/refusals?where.model=x')).toMatchObject({
    status: 400,
    body: { error: 'Expected `where` to be by tenant or project alone, got "model".' },
  })
  expect((await server.json('/v1/meters?where.tenant=x')).status).toBe(400)
})

test('who may send may not look, and who may look may not send', async () => {
  const server = await stage()
  const wire = toWireReport(meterReport())
  expect((await server.post(wire, 'none')).status).toBe(401)
  expect((await server.post(wire, 'looks')).status).toBe(403)
  expect((await server.post(wire, 'acme')).status).toBe(403)
  for (const path of ['/v1/meters', '/v1/refusals']) {
    expect((await server.json(path, 'none')).status).toBe(401)
    expect((await server.json(path, 'sends')).status).toBe(403)
    expect((await server.json(path, 'acme')).status).toBe(403)
    expect((await server.json(path, 'all')).status).toBe(200)
  }
  const response = await fetch(`${server.url}/v1/meters`, { method: 'PUT', headers: { authorization: 'Bearer sends' } })
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST'])
})

test('a key of a project sees the meters and refusals that came under it, and nobody else’s', async () => {
  const server = await stage()
  await server.tell({ meterId: 'of-web', refusals: [refused({ calls: 1 })] }, 'web')
  await server.tell({ meterId: 'of-all', refusals: [refused({ calls: 2 })] })
  // Whoever knows the id of another's meter changes nothing of it.
  await server.tell({ meterId: 'of-all', sequence: 99, appName: 'evil', refusals: [refused({ calls: 50 })] }, 'web')
  const seen = async (key: string) => {
    const { meters } = (await server.json('/v1/meters', key)).body as {
      meters: { meter_id: string; app_name: string }[]
    }
    const { refusals } = (await server.json('/v1/refusals', key)).body as { refusals: { calls: number }[] }
    return [meters.map((one) => `${one.meter_id} ${one.app_name}`).sort(), refusals.map(({ calls }) => calls)]
  }
  expect(await seen('web')).toEqual([['of-all evil', 'of-web shop'], [51]])
  expect(await seen('looks')).toEqual([['of-all evil', 'of-all shop', 'of-web shop'], [53]])
  expect((await server.json('/v1/refusals?where.project=other', 'web')).status).toBe(400)
})

const good = toWireReport(meterReport())
test.each<[unknown, number, RegExp]>([
  ['nothing', 400, /^The body is not JSON/],
  [[], 400, /^Expected `body` to be an object, got a list of 0/],
  [{ ...good, version: 2 }, 415, /versions of reports up to 1/],
  [{ ...good, version: undefined }, 400, /^Expected `version` to be 1, got nothing/],
  [{ ...good, meter_id: '' }, 400, /^Expected `meter_id` to be a string of 1 to 256 characters/],
  [{ ...good, meter_id: 'a\0b' }, 400, /^Expected `meter_id` to be/],
  [{ ...good, host_name: 5 }, 400, /^Expected `host_name` to be a string/],
  [{ ...good, at: 'soon' }, 400, /^Expected `at` to be an ISO 8601 time/],
  [{ ...good, calls: -1 }, 400, /^Expected `calls` to be a whole number of 0 or more/],
  [{ ...good, calls: 2 ** 60 }, 400, /^Expected `calls` to be a whole number of 0 or more/],
  [
    { ...good, refusals: [{ at: '2026-11-22T00:00:00.000Z', code: 'OTHERS', calls: 2 ** 53 - 1 }] },
    400,
    /^Expected `refusals\.0\.calls` to be a whole number from 1 to 1000000000/,
  ],
  [{ ...good, sequence: 0 }, 400, /^Expected `sequence` to be a whole number above 0/],
  [{ ...good, problems: Array(101).fill({}) }, 400, /^Expected `problems.*` to be/],
  [
    { ...good, refusals: [{ at: '2026-11-22T00:00:30.000Z', code: 'LIMIT_EXCEEDED', calls: 1 }] },
    400,
    /^Expected `refusals.0.at` to be the beginning of a minute/,
  ],
  [
    { ...good, refusals: [{ at: '2026-11-22T00:00:00.000Z', code: 'WHY', calls: 1 }] },
    400,
    /^Expected `refusals.0.code` to be one of LIMIT_EXCEEDED, /,
  ],
  [{ ...good, more: 'x'.repeat(5 * 1024 * 1024) }, 413, /4194304 bytes/],
])('what is no report is refused in one sentence (%#)', async (body, status, sentence) => {
  const server = await stage()
  const response = await server.post(body)
  expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([
    status,
    expect.stringMatching(sentence),
  ])
  expect((await server.json('/v1/meters')).body.meters).toEqual([])
})

test('a field that a newer meter adds is passed over, and one that is left out is none', async () => {
  const server = await stage()
  const { app_name: _, environment: __, unmetered: ___, problems: ____, refusals: _____, ...least } = good
  expect((await server.post({ ...least, mood: 'fine' })).status).toBe(200)
  const [meter] = (await server.json('/v1/meters')).body.meters as object[]
  expect(meter).toMatchObject({ meter_id: 'meter-1', unmetered: [], problems: [] })
  expect(meter).not.toHaveProperty('app_name')
  expect(meter).not.toHaveProperty('mood')
})

test('a ledger that keeps no reports is never asked to, and the sender is told nothing', async () => {
  const server = await stage()
  const { createIngest } = await import('../../src/server/ingest.ts')
  const { report: _, ...ledger } = server.ledger
  const handler = createIngest({ ledger, apiKeys: ['k'], onProblem: () => {} })
  const ask = (path: string, body: unknown) =>
    handler(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { authorization: 'Bearer k' },
        body: JSON.stringify(body),
      }),
    )
  expect((await ask('/v1/meters', good)).status).toBe(404)
  const taken = await ask('/v1/ingest', { schema_version: 1, batch_id: 'b', events: [] })
  expect([taken.status, taken.headers.get('tallygate-meters')]).toEqual([200, null])
})

test('docs/wire.md lists exactly the fields of a report, in their order', () => {
  const page = readText('docs/wire.md')
  const table = page.slice(page.indexOf('| Field of a report |')).split('\n\n')[0]!
  const listed = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`([a-z_]+)`/g)])
  const full = meterReport({ waitingSince: NOV_22, refusals: [refused()] })
  expect(listed.map(([, name]) => name)).toEqual(Object.keys(toWireReport(full)))
  for (const name of Object.keys((toWireReport(full).refusals as object[])[0]!)) expect(table).toContain(name)
})
