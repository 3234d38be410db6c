// What meters say of themselves, as every ledger keeps it: the latest word of each, and refusals that no repetition counts twice.

import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { limits } from '../../src/cli/limits-command.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import type { MeterReport, RefusedCalls } from '../../src/sinks/meter-report.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { fanOut, filter, map } from '../../src/sinks/wrap.ts'
import { runCommand } from '../support/commands.ts'
import { ingest, temporaryFolder } from '../support/ingest.ts'
import { DAY, event, failureOf, LEDGERS, NOV_22, postgresServer, signal, stopServers } from '../support/ledgers.ts'
import { MINUTE, meterReport, refused } from '../support/meter-reports.ts'

afterAll(stopServers)

const HOSTILE = ["'; DROP TABLE meters; --", '"quoted"', '\\', '%', '💸', 'é', '$1 ?1 :x', 'x'.repeat(256)]

/** Reports of one meter as it makes them: counts only rise, and each minute is told as long as it is not known to be kept. */
function reportsOf(meterId: string, deeds: readonly { readonly tenant: string; readonly minute: number }[]) {
  const totals = new Map<string, RefusedCalls>()
  return deeds.map(({ tenant, minute }, i) => {
    const at = NOV_22 + minute * MINUTE
    const key = `${tenant} ${minute}`
    const calls = (totals.get(key)?.calls ?? 0) + 1
    totals.set(key, refused({ at, tenantId: tenant, scope: `tenant=${tenant}`, calls }))
    return meterReport({ meterId, sequence: i + 2, refused: i + 1, refusals: [...totals.values()] })
  })
}

describe.each(Object.entries(LEDGERS))('reports of meters in %s', (_, kind) => {
  test('the latest word of each meter is kept, with all that it said', async () => {
    await using book = await kind.book()
    const first = meterReport()
    const second = meterReport({
      sequence: 3,
      isEnded: true,
      waiting: 7,
      waitingSince: NOV_22 - 5,
      lost: 1,
      deadLetters: 2,
      unmetered: [
        { host: 'api.openai.com', calls: 3, unknown: 1 },
        { host: null, calls: 9, unknown: 0 },
      ],
      problems: [{ kind: 'delivery', at: NOV_22, message: 'It is "down"\\ – 💸' }],
    })
    const { appName: _, environment: __, ...nameless } = meterReport({ meterId: 'meter-2', at: NOV_22 })
    for (const report of [first, second, nameless]) expect(await book.ledger.report!(report, signal)).toBe(true)
    const { refusals: ___, ...kept } = second
    const { refusals: ____, ...other } = nameless
    const views = book.views()
    expect(await views.meters()).toEqual([kept, other])
    expect(await views.meters({ limit: 1 })).toEqual([kept])
    expect(await views.meters({ until: NOV_22 + 1 })).toEqual([other])
  })

  test('refusals are added up over meters, by minute, hour and day', async () => {
    await using book = await kind.book()
    const tell = (report: MeterReport) => book.ledger.report!(report, signal)
    await tell(
      meterReport({
        refusals: [
          refused({ calls: 5 }),
          refused({ at: NOV_22 + MINUTE, calls: 2 }),
          refused({ tenantId: null, scope: null, window: null, code: 'MISSING_TENANT', calls: 4 }),
        ],
      }),
    )
    await tell(meterReport({ meterId: 'meter-2', refusals: [refused({ calls: 3 })] }))
    await tell(
      meterReport({ meterId: 'meter-3', refusals: [refused({ at: NOV_22 - DAY, tenantId: 'b', scope: '*' })] }),
    )
    const views = book.views()
    const acme = { tenant: 'acme', scope: 'tenant=acme', window: 'month', code: 'LIMIT_EXCEEDED' }
    const nobody = { tenant: null, scope: null, window: null, code: 'MISSING_TENANT' }
    expect(await views.refusals({ since: NOV_22 })).toEqual([
      { at: NOV_22 + MINUTE, ...acme, calls: 2 },
      { at: NOV_22, ...acme, calls: 8 },
      { at: NOV_22, ...nobody, calls: 4 },
    ])
    expect(await views.refusals({ every: 'hour', where: { tenant: 'acme' } })).toEqual([
      { at: NOV_22, ...acme, calls: 10 },
    ])
    expect(await views.refusals({ where: { tenant: null } })).toEqual([{ at: NOV_22, ...nobody, calls: 4 }])
    expect(await views.refusals({ where: { tenant: ['b', null] }, every: 'day' })).toMatchObject([
      { at: NOV_22, calls: 4 },
      { at: NOV_22 - DAY, tenant: 'b', scope: '*', calls: 1 },
    ])
    expect(await views.refusals({ limit: 1 })).toHaveLength(1)
    expect(await views.refusals({ where: { tenant: [] } })).toEqual([])
  })

  test('reports that come twice, late or out of order change no count', async () => {
    const deeds = fc.array(fc.record({ tenant: fc.constantFrom('a', 'b'), minute: fc.nat(2) }), { maxLength: 12 })
    const delivery = fc.array(fc.nat(1000), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(deeds, deeds, delivery, async (one, two, picks) => {
        await using book = await kind.book()
        const made = [...reportsOf('meter-1', one), ...reportsOf('meter-2', two)]
        // Any of them, in any order, any number of times; and at some time the last of each.
        const lasts = made.filter(({ meterId }, i) => made[i + 1]?.meterId !== meterId)
        const sent = [
          ...picks.map((pick) => made[pick % Math.max(1, made.length)]!),
          ...lasts,
          ...picks.map((pick) => made[pick % Math.max(1, made.length)]!),
        ]
        for (const report of sent) if (report) await book.ledger.report!(report, signal)
        const views = book.views()
        const calls = (await views.refusals()).reduce((sum, row) => sum + row.calls, 0)
        expect(calls).toBe(one.length + two.length)
        expect((await views.meters()).map(({ meterId, sequence }) => `${meterId} ${sequence}`).sort()).toEqual(
          lasts.map(({ meterId, sequence }) => `${meterId} ${sequence}`).sort(),
        )
      }),
      { numRuns: Math.min(25, kind.runs) },
    )
  })

  test('one report that is told at once by many is one', async () => {
    await using book = await kind.book()
    const report = meterReport({ refusals: [refused({ calls: 3 }), refused({ calls: 2 })] })
    await Promise.all(Array.from({ length: 20 }, () => book.ledger.report!(report, signal)))
    expect(await book.views().refusals()).toMatchObject([{ calls: 3 }])
    expect(await book.views().meters()).toHaveLength(1)
  })

  test('whatever things are called, they are names', async () => {
    await using book = await kind.book()
    const refusals = HOSTILE.map((name) => refused({ tenantId: name, scope: name }))
    for (const [i, name] of HOSTILE.entries())
      await book.ledger.report!(meterReport({ meterId: name, appName: name, hostName: name, refusals, at: i }), signal)
    const views = book.views()
    expect((await views.meters()).map(({ meterId }) => meterId)).toEqual([...HOSTILE].reverse())
    for (const name of HOSTILE)
      expect(await views.refusals({ where: { tenant: name } })).toMatchObject([{ tenant: name, scope: name, calls: 8 }])
  })

  test('what is kept under the key of a project is of that project', async () => {
    await using book = await kind.book()
    await book.ledger.report!(meterReport({ project: 'web', refusals: [refused()] }), signal)
    await book.ledger.report!(meterReport({ refusals: [refused({ calls: 7 })] }), signal)
    const views = book.views()
    expect(await views.meters({ where: { project: 'web' } })).toMatchObject([{ project: 'web' }])
    const [unbound] = await views.meters({ where: { project: null } })
    expect(unbound).not.toHaveProperty('project')
    expect(await views.refusals({ where: { project: ['web'] } })).toMatchObject([{ calls: 1 }])
    expect(await views.refusals()).toMatchObject([{ calls: 8 }])
  })

  test('a tenant who is forgotten is forgotten here, and what is old goes with the events', async () => {
    await using book = await kind.book()
    await book.put(event())
    const old = refused({ at: NOV_22 - 2 * DAY, tenantId: 'old' })
    await book.ledger.report!(meterReport({ refusals: [refused(), refused({ tenantId: 'b' }), old] }), signal)
    await book.ledger.report!(meterReport({ meterId: 'meter-2', at: NOV_22 - 2 * DAY }), signal)
    const views = book.views()
    await views.deleteTenant('acme')
    expect((await views.refusals()).map(({ tenant }) => tenant)).toEqual(['b', 'old'])
    await views.keep(NOV_22)
    expect((await views.refusals()).map(({ tenant }) => tenant)).toEqual(['b'])
    expect((await views.meters()).map(({ meterId }) => meterId)).toEqual(['meter-1'])
  })

  test('a meter that was silent for a month makes room for the next that starts', async () => {
    await using book = await kind.book()
    await book.ledger.report!(meterReport({ sequence: 1, at: Date.now() - 31 * DAY }), signal)
    await book.ledger.report!(meterReport({ sequence: 1, meterId: 'meter-2', at: Date.now() - 29 * DAY }), signal)
    await book.ledger.report!(meterReport({ sequence: 1, meterId: 'meter-3', at: Date.now() }), signal)
    expect((await book.views().meters()).map(({ meterId }) => meterId)).toEqual(['meter-3', 'meter-2'])
  })

  test('a ledger that is opened for reports keeps none, and says so', async () => {
    await using book = await kind.book()
    await book.ledger.report!(meterReport(), signal)
    const failed = await failureOf(book.open({ readOnly: true }).report!(meterReport({ sequence: 3 }), signal))
    expect(failed.code).toBe('LEDGER_UNAVAILABLE')
    expect(await book.views().meters()).toMatchObject([{ sequence: 2 }])
  })

  test.each<[string, () => [unknown, unknown]]>([
    ['Expected `limit` to be a whole number from 1 to 10000, got `0`.', () => [{ limit: 0 }, { limit: 0 }]],
    ['Expected `where` to be by ', () => [{ where: { tenant: 'a' } }, { where: { user: 'u' } }]],
    ['Expected `since` to be a moment in epoch milliseconds', () => [{ since: 'now' }, { since: 'now' }]],
  ])('a question that cannot be is told so: %s', async (sentence, questions) => {
    await using book = await kind.book()
    const [ofMeters, ofRefusals] = questions()
    const views = book.views()
    for (const asked of [views.meters(ofMeters as never), views.refusals(ofRefusals as never)]) {
      const { code, message } = await failureOf(asked)
      expect([code, message.startsWith(sentence)]).toEqual(['BAD_INPUT', true])
    }
    expect((await failureOf(views.refusals({ every: 'week' as never }))).message).toBe(
      'Expected `every` to be one of minute, hour, day, got "week".',
    )
  })
})

test('a table that a user of PostgreSQL may not write is said in one sentence', async () => {
  const server = await postgresServer()
  const schema = server.schema()
  const ledger = postgresLedger({ databaseUrl: server.url, schema })
  await ledger.migrate()
  await server.run(`DROP TABLE ${schema}.meters`)
  expect(await failureOf(ledger.report!(meterReport(), signal))).toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
  await ledger.close()
  await server.run(`DROP SCHEMA ${schema} CASCADE`)
})

describe('tallygate limits refused', () => {
  test('lists whom limits have refused, by the hour, and as JSON', async () => {
    using folder = temporaryFolder()
    const ledger = sqliteLedger({ path: join(folder.path, 'ledger.db') })
    await ledger.limits()
    const run = (...args: string[]) => runCommand(limits, ['refused', ...args, '--dir', folder.path])
    expect((await run()).out).toMatch(/ knows of no refused call \(from .* UTC to now\)\.\n$/)
    const hour = Date.now() - (Date.now() % 3_600_000) - 3_600_000
    const refusals = [
      refused({ at: hour, calls: 40 }),
      refused({ at: hour + MINUTE, calls: 2 }),
      refused({ at: hour, tenantId: 'b\u202e', scope: 'tenant=b&user=u%201', window: 'day', calls: 3 }),
      refused({ at: hour, tenantId: null, scope: null, window: null, code: 'MISSING_TENANT' }),
      refused({ at: hour - 30 * DAY, calls: 9 }),
    ]
    await ledger.report!(meterReport({ refusals }), signal)
    const { out } = await run()
    expect(out.split('\n').map((line) => line.replace(/ {2,}.* {2}/, ' … '))).toEqual([
      'tenant … refused',
      'acme … 42',
      expect.stringMatching(/^b\S* … 3$/),
      '(none) … 1',
      '',
    ])
    expect(out).toContain('tenant b, user u 1')
    expect((await run('acme', '--since', '90d', '--json')).json()['refusals']).toEqual([
      {
        at: new Date(hour).toISOString(),
        tenant: 'acme',
        scope: 'tenant=acme',
        window: 'month',
        code: 'LIMIT_EXCEEDED',
        calls: 42,
      },
      expect.objectContaining({ calls: 9 }),
    ])
    await expect(run('--per', 'day')).rejects.toThrow('`limits refused` takes no `--per`.')
    await expect(run('--since', 'soon')).rejects.toThrow('`--since` takes a date')
    await ledger.close()
  })
})

describe('sinks around sinks', () => {
  const telling = (answer: boolean | Error): Sink & { readonly told: number[] } => {
    const told: number[] = []
    return {
      ...memorySink(),
      told,
      async report({ sequence }) {
        told.push(sequence)
        if (answer instanceof Error) throw answer
        return answer
      },
    }
  }

  test('pass reports on, and have no place for them where nobody within has', async () => {
    const inner = telling(true)
    expect(await filter(inner, () => false).report!(meterReport(), signal)).toBe(true)
    expect(await map(inner, (one) => one).report!(meterReport({ sequence: 3 }), signal)).toBe(true)
    expect(inner.told).toEqual([2, 3])
    for (const sink of [filter(memorySink(), () => true), map(memorySink(), (one) => one), fanOut([memorySink()])])
      expect(sink.report).toBeUndefined()
  })

  test('a fan-out tells all of them, and fails where one does', async () => {
    const [kept, none, failing] = [telling(true), telling(false), telling(new Error('down'))]
    expect(await fanOut([memorySink(), none, kept]).report!(meterReport(), signal)).toBe(true)
    expect(await fanOut([memorySink(), none]).report!(meterReport(), signal)).toBe(false)
    await expect(fanOut([failing, kept]).report!(meterReport(), signal)).rejects.toThrow('down')
    expect([none.told.length, kept.told.length]).toEqual([2, 2])
  })
})

describe('reports over HTTP', () => {
  const first = { id: 'b', events: [event()] }
  const paths = (server: { readonly received: readonly { readonly path: string }[] }) =>
    server.received.map(({ path }) => path)

  test.each([true, false])(
    'go to the server that has said that it takes them, and no sooner; gzip: %s',
    async (gzip) => {
      await using server = await ingest()
      const sink = server.sink({ gzip })
      expect(await sink.report!(meterReport(), signal)).toBe(false)
      await sink.send(first, signal)
      expect(await sink.report!(meterReport({ refusals: [refused()] }), signal)).toBe(true)
      expect(paths(server)).toEqual(['/v1/ingest', '/v1/meters'])
      await sink.close?.()
    },
  )

  test('a backend of the user never sees one', async () => {
    await using server = await ingest()
    server.misbehave(() => Response.json({ accepted: 1, duplicates: 0, rejected: [] }))
    const sink = server.sink()
    await sink.send(first, signal)
    expect(await sink.report!(meterReport(), signal)).toBe(false)
    expect(paths(server)).toEqual(['/v1/ingest'])
    await sink.close?.()
  })

  test('go beside the ingest address, whatever stands around it', async () => {
    await using server = await ingest()
    const takes = () => Response.json({}, { headers: { 'tallygate-meters': '1' } })
    server.misbehave(takes, takes)
    const sink = server.sink({ url: `${server.base}/proxy/events/?token=secret` })
    await sink.send(first, signal)
    expect(await sink.report!(meterReport(), signal)).toBe(true)
    expect(paths(server)).toEqual(['/proxy/events/', '/proxy/meters'])
    expect(server.received[1]!.headers.get('authorization')).toBe(server.received[0]!.headers.get('authorization'))
    await sink.close?.()
  })

  test('are asked for no more where they are not taken after all, and are told again after a failure', async () => {
    await using server = await ingest()
    const sink = server.sink()
    await sink.send(first, signal)
    server.misbehave(() => new Response('a secret', { status: 503 }))
    await expect(sink.report!(meterReport(), signal)).rejects.toThrow('it answered 503')
    server.misbehave(() => new Response(null, { status: 404 }))
    expect(await sink.report!(meterReport(), signal)).toBe(false)
    expect(await sink.report!(meterReport(), signal)).toBe(false)
    expect(server.received).toHaveLength(3)
    await sink.close?.()
  })
})
