// The first calls of a process, for which the price book has to be read: they are on the disk as all others are.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Meter } from 'tallygate'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'

const APP = join(import.meta.dirname, '../support/first-calls-app.ts')
const THOUSAND_TOKENS_PICO = 2_500_000_000

test.each([
  ['import', 'by hand', 'SIGTERM', 1000],
  ['import', 'by hand', 'SIGKILL', 1000],
  ['require', 'by hand', 'SIGKILL', 1000],
  ['import', 'by hand', 'exit', 1000],
  ['import', 'through an SDK', 'SIGKILL', 1],
  ['require', 'through an SDK', 'SIGTERM', 1],
])('by %s, %s, and then %s: every one is counted once, with its cost', async (...scene) => {
  const [, , end, count] = scene
  using folder = temporaryFolder()
  const child = spawn(process.execPath, ['--no-warnings', APP, ...scene.map(String)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TALLYGATE_DIR: folder.path },
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += chunk))
  const [status, signal] = await once(child, 'close')
  expect([status, signal, said]).toEqual(end === 'exit' ? [0, null, ''] : [null, end, ''])
  const path = join(folder.path, 'ledger.db')
  const ask = (sql: string) => {
    using database = new DatabaseSync(path, { readOnly: true })
    return { ...database.prepare(sql).get() }
  }
  {
    // The next process, which takes over what is left.
    await using meter = new Meter({ dir: folder.path, onMissingTenant: 'record' })
    meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1 })
    await meter.flush()
    const there = () => ask("SELECT count(*) AS rows FROM events WHERE response_id LIKE 'e%'")
    await expect.poll(there).toEqual({ rows: count })
  }
  const sql = `SELECT count(*) AS rows, count(DISTINCT response_id) AS calls, min(cost_pico) AS least, max(cost_pico) AS most
    FROM events WHERE response_id LIKE 'e%'`
  expect(ask(sql)).toEqual({
    rows: count,
    calls: count,
    least: THOUSAND_TOKENS_PICO,
    most: THOUSAND_TOKENS_PICO,
  })
})
