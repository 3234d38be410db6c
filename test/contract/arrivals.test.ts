// Events that come in are seen once each, whatever their ids are, on every database.

import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { createArrivals } from '../../src/ledger/arrivals.ts'
import { postgresSource } from '../../src/ledger/postgres-source.ts'
import { sqliteSource } from '../../src/ledger/sqlite-source.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, postgresServer, signal, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const PLACES = {
  SQLite: async () => {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const path = join(folder.path, 'ledger.db')
    return { ledger: sqliteLedger({ path }), source: () => sqliteSource(path) }
  },
  PostgreSQL: async () => {
    const { url, schema } = await postgresServer()
    const options = { databaseUrl: url, schema: schema() }
    return { ledger: postgresLedger(options), source: () => postgresSource(options) }
  },
}

describe.each(Object.entries(PLACES))('%s', (_, open) => {
  async function stage() {
    const { ledger, source: make } = await open()
    await ledger.limits()
    const source = make()
    onTestFinished(async () => {
      await source.close()
      await ledger.close()
    })
    const put = async (...tenants: string[]) => {
      const events = tenants.map((tenantId) => event({ at: Date.now(), tenantId }))
      await ledger.send({ id: 'b', events }, signal)
      return events
    }
    return { ledger, source, put }
  }
  const tenantsOf = (events: readonly { tenantId?: string }[]) => events.map(({ tenantId }) => tenantId)

  test('what is there already is not new, and what comes is, once and in its order', async () => {
    const { source, put, ledger } = await stage()
    await put('before')
    const arrivals = createArrivals(source)
    expect(await arrivals.next()).toEqual([])
    const [a] = await put('a')
    await put('b', 'c')
    expect(tenantsOf(await arrivals.next())).toEqual(['a', 'b', 'c'])
    expect(await arrivals.next()).toEqual([])
    await ledger.send({ id: 'again', events: [a!] }, signal)
    const job = event({ at: Date.now(), tenantId: 'job', eventId: '01a2021b-ef57-8638-8ca5-e3db540a4521' })
    await ledger.send({ id: 'jobs', events: [job, { ...job, eventId: 'their own', tenantId: 'own' }] }, signal)
    expect(new Set(tenantsOf(await arrivals.next()))).toEqual(new Set(['job', 'own']))
    await put('d')
    expect(tenantsOf(await arrivals.next())).toEqual(['d'])
  })

  test('only what was asked for', async () => {
    const { source, put } = await stage()
    const arrivals = createArrivals(source, { where: { tenant: ['acme', "x' OR 1=1"] } })
    await arrivals.next()
    await put('other', 'acme', 'other')
    expect(tenantsOf(await arrivals.next())).toEqual(['acme'])
    await put('other')
    expect(await arrivals.next()).toEqual([])
  })

  test('more than a thousand come in parts, and none is lost', async () => {
    const { source, put } = await stage()
    const arrivals = createArrivals(source)
    await arrivals.next()
    const names = Array.from({ length: 2300 }, (_, i) => `t${i}`)
    await put(...names)
    const seen: (string | undefined)[] = []
    for (let i = 0; i < 4; i++) seen.push(...tenantsOf(await arrivals.next()))
    expect(seen).toEqual(names)
  })
})

test('events that are deleted meanwhile make nothing new of the others', async () => {
  const { ledger, source: make } = await PLACES.SQLite()
  const source = make()
  const put = (tenantId: string) => ledger.send({ id: 'b', events: [event({ tenantId })] }, signal)
  await put('stays')
  await put('goes')
  const arrivals = createArrivals(source)
  await arrivals.next()
  await source.change({ sql: "DELETE FROM events WHERE tenant_id = 'goes'", values: [] })
  expect(await arrivals.next()).toEqual([])
  await put('comes')
  expect((await arrivals.next()).map(({ tenantId }) => tenantId)).toEqual(['comes'])
  await source.close()
  await ledger.close()
})
