// Several workers of one application, each with a meter of its own in the same folder: real processes, real threads.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { run } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

const APP = join(import.meta.dirname, '../support/worker-app.ts')
const WORKERS = 3
const CALLS = 400

async function runApp(dir: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, ['--no-warnings', APP], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TALLYGATE_DIR: dir, WORKERS: String(WORKERS), CALLS: String(CALLS), ...env },
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += chunk))
  const [exitCode] = await once(child, 'close')
  expect(exitCode, said).toBe(0)
  return said
}

function ledgerOf(dir: string): { calls: number; ids: number } {
  using ledger = new DatabaseSync(join(dir, 'ledger.db'), { readOnly: true })
  const [row] = ledger.prepare('SELECT count(*) AS calls, count(DISTINCT response_id) AS ids FROM events').all()
  return { ...row } as { calls: number; ids: number }
}

const ALL = { calls: WORKERS * CALLS, ids: WORKERS * CALLS }

test.each(['cluster', 'threads'])('%s: workers that end have each call in one ledger, once', async (KIND) => {
  using folder = temporaryFolder()
  expect(await runApp(folder.path, { KIND, END: 'close' })).toBe('')
  expect(ledgerOf(folder.path)).toEqual(ALL)
  expect(readdirSync(join(folder.path, 'spool'))).toEqual([])
})

test.each(['cluster', 'threads'])(
  '%s: what workers leave that are killed is delivered afterwards, once',
  async (KIND) => {
    using folder = temporaryFolder()
    await runApp(folder.path, { KIND, END: 'kill' })
    const drained = await run(folder.path, ['drain', '--dir', folder.path])
    expect([drained.exitCode, drained.stderr]).toEqual([0, ''])
    expect(ledgerOf(folder.path)).toEqual(ALL)
    expect(readdirSync(join(folder.path, 'spool'))).toEqual([])
  },
)
