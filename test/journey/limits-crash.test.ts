// Processes of one folder under one hard limit: killed, frozen, with a wrong clock. What was spent never passes the limit,
// and when the dead are settled nothing is stranded.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Account } from '../../src/limits/limit-store.ts'
import { limitFile, sqliteLimitStore } from '../../src/limits/sqlite-store.ts'
import { formatUsd, parseUsd, picoFromNano } from '../../src/money.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'
import { PATIENT } from '../support/patience.ts'

const APP = join(import.meta.dirname, '../support/limit-app.ts')
const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
/** gpt-4o: 10 tokens in at $2.50 a million, 100 out at $10; and what such a call is taken to cost at most, which it holds. */
const COST = parseUsd('0.001025')!

function start(dir: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--no-warnings', APP], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TALLYGATE_DIR: dir, ...env },
  })
  let said = ''
  let problems = ''
  child.stdout.on('data', (chunk) => (said += chunk))
  child.stderr.on('data', (chunk) => (problems += chunk))
  const closed = once(child, 'close')
  const count = (word: string) => said.split('\n').filter((line) => line === word).length
  const app = {
    child,
    calls: () => count('ok'),
    refused: () => count('LIMIT_EXCEEDED'),
    problems: () => problems,
    async until(isTrue: () => boolean) {
      const isOver = () => isTrue() || child.exitCode !== null
      // Often: what is to be killed in the middle of something is there for milliseconds.
      await vi.waitUntil(isOver, PATIENT)
      if (!isTrue()) throw new Error(`It did not come to that: ${said} ${problems}`)
    },
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
    [Symbol.asyncDispose]: () => app.kill(),
  }
  return app
}

function account(dir: string) {
  const file = limitFile({ path: join(dir, 'limits.db') })
  const found = file.accounts([{ scope: 'tenant=acme', per: 'total', windowId: 'total', earlier: [] }])
  void file.close?.()
  return (found as readonly Account[])[0]!
}

/** What the ledger holds after everybody's spool has been delivered. */
async function inLedger(dir: string): Promise<bigint> {
  const { DatabaseSync } = await import('node:sqlite')
  using database = new DatabaseSync(join(dir, 'ledger.db'), { readOnly: true })
  return BigInt(database.prepare('SELECT count(*) AS calls FROM events').get()!.calls as number) * COST
}

async function drain(dir: string): Promise<string> {
  const child = spawn(process.execPath, ['--no-warnings', CLI, 'drain', '--dir', dir], { stdio: 'pipe' })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  await once(child, 'close')
  return said
}

describe('processes that are killed', () => {
  test('leave nothing stranded: the next that starts settles what they wrote down', async () => {
    using dir = temporaryFolder()
    {
      await using one = start(dir.path)
      await using two = start(dir.path)
      await Promise.all([one, two].map((app) => app.until(() => app.calls() >= 20)))
    }
    const left = account(dir.path)
    expect(left.escrow + left.suspense).toBeGreaterThan(0n)
    await using app = await metered({ dir: dir.path })
    app.emulator.reply({ inputTokens: 10, outputTokens: 100 })
    await app.meter.forTenant('acme', () => app.chat())
    await expect.poll(() => app.meter.stats().delivery.spool!.adopted).toBe(2)
    await app.meter.close()
    const { committed, escrow, suspense } = account(dir.path)
    expect({ escrow, suspense }).toEqual({ escrow: 0n, suspense: 0n })
    const spent = await inLedger(dir.path)
    // What was in flight when they were killed is in no ledger, and may have been spent: 4 calls each, of some $0.0022.
    expect(picoFromNano(committed)).toBeGreaterThanOrEqual(spent)
    expect(picoFromNano(committed)).toBeLessThanOrEqual(spent + 8n * parseUsd('0.0025')!)
  })

  test('round after round pass no limit, and `drain` settles the last of them', async () => {
    using dir = temporaryFolder()
    for (let round = 0; round < 3; round++) {
      await using one = start(dir.path, { CALL_MS: '20' })
      await using two = start(dir.path, { CALL_MS: '20' })
      await Promise.all([one, two].map((app) => app.until(() => app.calls() >= 10)))
    }
    expect(await drain(dir.path)).toMatch(/slices of limits settled/)
    expect(account(dir.path)).toMatchObject({ escrow: 0n, suspense: 0n })
    expect(await drain(dir.path)).not.toMatch(/settled/)
    const spent = formatUsd((await inLedger(dir.path)) + parseUsd('0.1')!)
    {
      await using last = start(dir.path, { LIMIT_USD: spent })
      await last.until(() => last.refused() > 0)
    }
    await drain(dir.path)
    expect(await inLedger(dir.path)).toBeLessThanOrEqual(parseUsd(spent)!)
    expect(picoFromNano(account(dir.path).committed)).toBeLessThanOrEqual(parseUsd(spent)!)
  })
})

test('killed with its limits in another store, and drained without it: its money is held until that store is named', async () => {
  using dir = temporaryFolder()
  using elsewhere = temporaryFolder()
  const path = join(elsewhere.path, 'limits.db')
  {
    await using app = start(dir.path, { LIMITS_DB: path })
    await app.until(() => app.calls() >= 10)
  }
  const kept = /A slice of a limit is of another limit store \(.+limits\.db\), and stays charged: .+ --limits <url>/
  // Twice: what is kept is not lost the second time either.
  expect(await drain(dir.path)).toMatch(/[1-9]\d* events of 1 process delivered to sqlite/)
  expect(await drain(dir.path)).toMatch(
    new RegExp(`^0 events of 1 process delivered to sqlite.\n.*${kept.source}`, 's'),
  )
  const left = account(elsewhere.path)
  expect(left.escrow + left.suspense).toBeGreaterThan(0n)
  await using app = await metered({ dir: dir.path, limitStore: sqliteLimitStore({ path }) })
  app.emulator.reply({ inputTokens: 10, outputTokens: 100 })
  await app.meter.forTenant('acme', () => app.chat())
  await expect.poll(() => app.meter.stats().delivery.spool!.adopted).toBe(1)
  await app.meter.close()
  expect(account(elsewhere.path)).toMatchObject({ escrow: 0n, suspense: 0n })
  expect(await drain(dir.path)).not.toMatch(/charged|settled/)
})

test('a process whose clock is an hour ahead, and one that is frozen and thawed, spend what is there and no more', async () => {
  using dir = temporaryFolder()
  const env = { LIMIT_USD: '0.15' }
  // Alone at first: the others, were they quicker to start, could have spent everything by then.
  await using frozen = start(dir.path, env)
  await frozen.until(() => frozen.calls() >= 5)
  frozen.child.kill('SIGSTOP')
  await using ahead = start(dir.path, { ...env, SKEW_MS: '3600000' })
  await using other = start(dir.path, env)
  await Promise.all([ahead, other].map((app) => app.until(() => app.refused() > 0)))
  frozen.child.kill('SIGCONT')
  await frozen.until(() => frozen.refused() > 0)
  const calls = ahead.calls() + frozen.calls() + other.calls()
  expect(formatUsd(BigInt(calls) * COST) <= '0.15').toBe(true)
  expect(calls).toBeGreaterThan(70)
})
