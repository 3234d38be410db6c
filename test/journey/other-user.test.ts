// Commands of a user who may not look into the folder, or may only look.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Meter } from 'tallygate'
import { expect, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { temporaryFolder } from '../support/ingest.ts'

const NOBODY = { uid: 65_534, gid: 65_534, encoding: 'utf8', cwd: '/' } as const
const MAIN = join(root, 'dist/cli/main.js')
const asNobody = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], NOBODY)
const CANNOT = process.getuid?.() !== 0 || asNobody('--version').status !== 0

async function record(dir: string, options: { url?: string } = {}): Promise<void> {
  const meter = new Meter({ dir, ...options, onProblem: () => {} })
  meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 10, tenantId: 'acme' })
  await meter.close(options.url === undefined ? 10_000 : 0)
}

test.skipIf(CANNOT)('a folder of another user is not an empty one', async () => {
  using folder = temporaryFolder()
  chmodSync(folder.path, 0o755)
  const dir = join(folder.path, 'app')
  mkdirSync(dir, { mode: 0o700 })
  await record(dir, { url: 'http://127.0.0.1:9/v1/ingest' })
  for (const command of ['drain', 'report', 'dead-letters']) {
    const { status, stdout, stderr } = asNobody(command, '--dir', dir)
    const said = [expect.stringMatching(/EACCES/)]
    expect([command, status, stdout, stderr.trim().split('\n')]).toEqual([command, 1, '', said])
  }
})

test.skipIf(CANNOT)('a ledger that may only be looked at is told of in a sentence that helps', async () => {
  using folder = temporaryFolder()
  chmodSync(folder.path, 0o755)
  const dir = join(folder.path, 'copy')
  mkdirSync(dir)
  await record(dir)
  rmSync(join(dir, 'spool'), { recursive: true, force: true })
  chmodSync(join(dir, 'ledger.db'), 0o444)
  chmodSync(dir, 0o555)
  for (const [command, ...more] of [
    ['report'],
    ['prune', '--keep', '1d', '--yes'],
    ['migrate'],
    ['dead-letters', '--resend'],
  ] as const) {
    const { status, stderr } = asNobody(command, ...more, '--dir', dir)
    const lines = stderr.trim().split('\n')
    if (command === 'dead-letters') expect(status).toBe(0)
    else expect([command, status, lines]).toEqual([command, 1, [expect.stringMatching(/^The ledger at .* read/)]])
  }
})
