// The trail of changes: in a file and in PostgreSQL it says the same.

import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { openLedger } from '../../src/ledger/index.ts'
import { type Change, type ChangeLog, fileChangeLog } from '../../src/server/changes.ts'
import { postgresChangeLog } from '../../src/server/changes-table.ts'
import { serve } from '../../src/server/serve.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { postgresServer, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const CHANGE: Change = {
  at: '2026-11-22T09:00:00.000Z',
  by: 'key 1234abcd',
  what: 'limit.set',
  of: "ac'me; DROP TABLE changes",
  before: null,
  after: '$50 a month, hard',
}

async function inPostgres() {
  const server = await postgresServer()
  const place = { databaseUrl: server.url, schema: server.schema() }
  onTestFinished(async () => void (await server.run(`DROP SCHEMA IF EXISTS ${place.schema} CASCADE`)))
  return place
}

/** The same trail, opened as often as it is asked for. */
const LOGS: Record<string, () => Promise<() => ChangeLog>> = {
  async file() {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    return () => fileChangeLog(join(folder.path, 'changes.jsonl'))
  },
  async PostgreSQL() {
    const place = await inPostgres()
    return () => {
      const log = postgresChangeLog(place)
      onTestFinished(() => log.close())
      return log
    }
  },
}

describe.each(Object.entries(LOGS))('in a %s', (_, place) => {
  test('every change is there, the newest first, whoever wrote it', async () => {
    const open = await place()
    const [one, other] = [open(), open()]
    expect(await one.list()).toEqual([])
    await one.note(CHANGE)
    const removed: Change = { ...CHANGE, what: 'limit.removed', before: CHANGE.after, after: null }
    await other.note(removed)
    expect(await one.list()).toEqual([removed, CHANGE])
  })
})

test('a server over PostgreSQL notes its keys, and who sets a limit', async () => {
  const place = await inPostgres()
  const [ledger, views, changes] = [postgresLedger(place), openLedger(place), postgresChangeLog(place)]
  onTestFinished(() => Promise.all([ledger.close(), views.close(), changes.close()]).then(() => undefined))
  const server = await serve({ ledger, views, changes, apiKeys: ['admin-key'], onProblem: () => {} })
  onTestFinished(() => server.close())
  const headers = { authorization: 'Bearer admin-key', 'content-type': 'application/json' }
  const body = JSON.stringify({ usd: '50', per: 'month', mode: 'hard' })
  const set = await fetch(`${server.url}/v1/limits/acme`, { method: 'PUT', headers, body })
  expect(set.status).toBe(200)
  const answer = (await (await fetch(`${server.url}/v1/changes`, { headers })).json()) as { changes: Change[] }
  expect(answer.changes.map(({ what, of }) => `${what} ${of}`).sort()[1]).toBe('limit.set acme')
  expect(JSON.stringify(answer)).not.toContain('admin-key')
})

test('a trail that was closed opens no connection any more', async () => {
  const log = postgresChangeLog(await inPostgres())
  await log.close()
  expect(await log.list()).toEqual([])
})
