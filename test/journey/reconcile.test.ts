// `tallygate reconcile` that is killed while it asks goes on where it stopped when it is started again.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startAdminApis } from '../../src/emulator/bills/admin.ts'
import { makeMonth } from '../../src/emulator/bills/month.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { start } from '../support/command-line.ts'
import { gate } from '../support/gate.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, signal } from '../support/ledgers.ts'

const START = Date.UTC(2026, 9, 1)

test('a killed run has written no day, and the next asks for the rest alone', async () => {
  using folder = temporaryFolder()
  const dir = join(folder.path, '.tallygate')
  const ledger = sqliteLedger({ path: join(dir, 'ledger.db') })
  await ledger.send({ id: 'b', events: [event({ at: START })] }, signal)
  await ledger.close()
  const month = makeMonth({ seed: 3, start: START, days: 4, calls: 30, tricks: [] })
  const apis = await startAdminApis(month, { pageSize: 2 })
  try {
    await using before = await gate(apis.anthropic)
    const args = ['reconcile', '--provider', 'anthropic', '--since', '2026-10-01', '--until', '2026-10-05', '--json']
    const env = { ANTHROPIC_ADMIN_KEY: 'sk-ant-admin-secret', ANTHROPIC_ADMIN_BASE_URL: before.url }
    before.shut('silent', 5)
    const killed = start(folder.path, args, env)
    await before.stopped
    killed.process.kill('SIGKILL')
    expect(await killed.finished).toMatchObject({ exitCode: null, stdout: '' })
    before.open()
    const { stdout } = await start(folder.path, args, env).finished
    expect(JSON.parse(stdout)).toMatchObject({ source: 'anthropic', until: '2026-10-05T00:00:00.000Z' })
    const resumed = before.passed
    expect(existsSync(join(dir, 'reconcile'))).toBe(false)
    await start(folder.path, args, env).finished
    expect(before.passed - resumed).toBe(resumed)
  } finally {
    await apis.close()
  }
})
