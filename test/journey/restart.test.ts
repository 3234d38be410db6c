// Limits and what was spent of them outlive the process: they are in a file beside the ledger.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { type Limit, LimitExceededError, Meter } from 'tallygate'
import { type Emulator, startEmulator } from 'tallygate/emulator'
import { expect, test } from 'vitest'
import { limitFile } from '../../src/limits/sqlite-store.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

const root = join(import.meta.dirname, '../..')
const thousand = { inputTokens: 1000, outputTokens: 1000, times: Number.POSITIVE_INFINITY }

/** Runs a script with `meter` and `chat` in a process of its own, and gives what it prints. */
async function run(script: string, emulator: Emulator, dir: string): Promise<string> {
  const code = `
    import { LimitExceededError, Meter } from 'tallygate'
    import OpenAI from 'openai'
    const meter = new Meter({ hosts: ${JSON.stringify(emulator.hosts)}, flushIntervalMs: 60_000 })
    meter.patchAll()
    const openai = new OpenAI({ apiKey: 'key', baseURL: ${JSON.stringify(emulator.openai.baseURL)} })
    const chat = () => meter.forTenant('acme', () =>
      openai.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1000 }))
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    env: { ...process.env, TALLYGATE_DIR: dir },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [status] = await once(child, 'close')
  expect(status, output).toBe(0)
  return output
}

const REFUSED = `await chat().then(
  () => console.log('let through'),
  (error) => console.log(error instanceof LimitExceededError, error instanceof OpenAI.APIError, error.spentUsd, error.limitUsd),
)`

test('a limit set by one process refuses the call of the next', async () => {
  using dir = temporaryFolder()
  await using emulator = await startEmulator()
  emulator.reply(thousand)
  // Neither awaits the limit nor closes the meter: it ends by itself, as scripts do.
  expect(await run(`meter.setLimit('acme', { usd: 0.025 }); await chat()`, emulator, dir.path)).toBe('')
  expect(await run('await chat()', emulator, dir.path)).toBe('')
  expect(await run(REFUSED, emulator, dir.path)).toBe('true true 0.025 0.025\n')
  expect(emulator.requests).toHaveLength(2)
})

test('a process that is ended by process.exit leaves its spend behind', async () => {
  using dir = temporaryFolder()
  await using emulator = await startEmulator()
  emulator.reply(thousand)
  await run(`await meter.setLimit('acme', { usd: 0.0125 }); await chat(); process.exit(0)`, emulator, dir.path)
  expect(await run(REFUSED, emulator, dir.path)).toBe('true true 0.0125 0.0125\n')
})

test('a limit that this process changes or removes is not brought back by what an earlier one left', async () => {
  using dir = temporaryFolder()
  {
    await using app = await metered({ dir: dir.path })
    app.emulator.reply(thousand)
    await app.meter.setLimit('acme', { usd: 0.01 })
    await app.meter.setLimit('globex', { usd: 0.01 })
    await app.meter.forTenant('acme', () => app.chat())
    await app.meter.forTenant('globex', () => app.chat())
  }
  {
    await using app = await metered({ dir: dir.path })
    app.emulator.reply(thousand)
    const raised = app.meter.setLimit('acme', { usd: 0.02, per: 'month', mode: 'hard' })
    const removed = app.meter.removeLimit('globex')
    await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({
      limitUsd: '0.02',
      spentUsd: '0.0125',
    })
    await app.meter.forTenant('globex', () => app.chat())
    await Promise.all([raised, removed])
  }
  await using app = await metered({ dir: dir.path })
  expect(await app.meter.limits('globex')).toEqual([])
  expect(await app.meter.limits('acme')).toMatchObject([{ limitUsd: '0.02', mode: 'hard', spentUsd: '0.0125' }])
})

test('spend from before a limit was set counts in it, whichever process made it', async () => {
  using dir = temporaryFolder()
  {
    await using app = await metered({ dir: dir.path })
    app.emulator.reply(thousand)
    await app.meter.forTenant('acme', () => app.chat())
  }
  await using app = await metered({ dir: dir.path })
  app.emulator.reply(thousand)
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.setLimit('acme', { usd: 0.025 })
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ spentUsd: '0.025' })
  // Once more, with all of it in the ledger and nothing on its way there.
  await app.meter.flush()
  await app.meter.removeLimit('acme')
  await app.meter.setLimit('acme', { usd: 0.03 })
  expect(await app.meter.limits('acme')).toMatchObject([{ spentUsd: '0.025', remainingUsd: '0.005' }])
})

test('a call reported by hand before the first account is opened counts once', async () => {
  using dir = temporaryFolder()
  await using app = await metered({ dir: dir.path })
  await app.meter.setLimit('acme', { usd: 10 })
  app.meter.trackManually({ provider: 'cohere', model: 'command-r-plus', costUsd: 3, tenantId: 'acme' })
  app.meter.trackManually({ provider: 'cohere', model: 'command-r-plus', costUsd: 2, tenantId: 'acme' })
  await app.meter.flush()
  expect(await app.meter.limits('acme')).toMatchObject([{ spentUsd: '5' }])
})

test('two meters of one process on one ledger each restore what is there', async () => {
  using dir = temporaryFolder()
  await using emulator = await startEmulator()
  emulator.reply(thousand)
  await using first = new Meter({ dir: dir.path, hosts: emulator.hosts })
  await first.setLimit('acme', { usd: 0.01 })
  first.trackManually({ provider: 'cohere', model: 'command-r-plus', costUsd: 1, tenantId: 'acme' })
  await first.flush()
  await using second = new Meter({ dir: dir.path, hosts: emulator.hosts })
  second.patch('openai', { modules: [OpenAI] })
  const openai = new OpenAI({ apiKey: 'key', baseURL: emulator.openai.baseURL })
  const call = () => openai.responses.create({ model: 'gpt-4o', input: 'Hi' })
  await expect(second.forTenant('acme', call)).rejects.toThrow(LimitExceededError)
  expect(emulator.requests).toHaveLength(0)
})

test('limits of other targets, zones and rolling windows are there again, with what was spent of each', async () => {
  using dir = temporaryFolder()
  const of = { userId: 'u1', feature: 'search', operationId: 'run-1' }
  const limits = [
    ['acme', { usd: 1, per: 'day', timeZone: 'Asia/Kathmandu' }],
    ['acme', { usd: 1, per: 'hour', rolling: true, mode: 'hard' }],
    [
      { tenant: 'acme', user: 'u1' },
      { usd: 1, per: 'week', anchor: 3 },
    ],
    [{ run: 'run-1' }, { usd: 1, per: 'total' }],
    [
      { organization: 'big', tenants: ['acme', 'globex'] },
      { usd: 1, mode: 'clamp', minOutputTokens: 10 },
    ],
    ['*', { usd: 1 }],
  ] as const
  {
    await using app = await metered({ dir: dir.path })
    app.emulator.reply(thousand)
    await Promise.all(limits.map(([target, limit]) => app.meter.setLimit(target, limit)))
    await app.meter.forTenant('acme', of, () => app.chat())
  }
  await using app = await metered({ dir: dir.path })
  app.emulator.reply(thousand)
  await app.meter.forTenant('acme', of, () => app.chat())
  for (const [target, limit] of limits) {
    const { mode = 'expected', per = 'month' } = limit as Limit
    const state = await app.meter.getLimit(target, per)
    expect(state).toMatchObject({ mode, spentUsd: '0.025', heldUsd: '0' })
  }
})

test('two processes of one folder spend one limit, and not one each', async () => {
  using dir = temporaryFolder()
  await using one = await metered({ dir: dir.path })
  await using two = await metered({ dir: dir.path })
  one.emulator.reply(thousand)
  two.emulator.reply(thousand)
  await one.meter.setLimit('acme', { usd: 0.05, mode: 'hard' })
  const calls = [one, two].flatMap((app) =>
    Array.from({ length: 6 }, () => app.meter.forTenant('acme', () => app.chat())),
  )
  const passed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled')
  expect(passed.length).toBeGreaterThan(0)
  expect(passed.length).toBeLessThanOrEqual(4)
})

test('an application without limits has no file for them', async () => {
  using dir = temporaryFolder()
  await using emulator = await startEmulator()
  emulator.reply(thousand)
  await run('await chat()', emulator, dir.path)
  await run('await chat(); await meter.close()', emulator, dir.path)
  expect(existsSync(join(dir.path, 'limits.db'))).toBe(false)
})

test('limits that an earlier version has left in the ledger are taken over once, by two processes that start at once', async () => {
  using dir = temporaryFolder()
  await using emulator = await startEmulator()
  emulator.reply(thousand)
  await run('await chat()', emulator, dir.path)
  const ledger = sqliteLedger({ path: join(dir.path, 'ledger.db') })
  await ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 12_500_000_000n, mode: 'hard' })
  await Promise.all(
    [1, 2].map(async () => expect(await run(REFUSED, emulator, dir.path)).toBe('true true 0.0125 0.0125\n')),
  )
  // Removed, it does not come back, even from a ledger that still has it.
  await run(`await meter.removeLimit('acme')`, emulator, dir.path)
  await ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 12_500_000_000n, mode: 'hard' })
  await ledger.close()
  expect(await run(REFUSED, emulator, dir.path)).toBe('let through\n')
})

test('a process gives back what it holds when it ends, however it does', async () => {
  using dir = temporaryFolder()
  await using emulator = await startEmulator()
  emulator.reply(thousand)
  const file = limitFile({ path: join(dir.path, 'limits.db') })
  const window = { scope: 'tenant=acme', per: 'total', windowId: 'total', earlier: [] } as const
  for (const end of ['', 'process.exit(0)', 'await meter.close()', 'throw new Error("expected")']) {
    const code = `${end.startsWith('throw') ? `process.on('uncaughtException', () => process.exit(0));` : ''}
      await meter.setLimit('acme', { usd: 10, per: 'total' }); await chat(); ${end}`
    await run(code, emulator, dir.path)
    expect(file.accounts([window]), end).toMatchObject([{ escrow: 0n, suspense: 0n }])
  }
  expect(file.accounts([window])).toMatchObject([{ committed: 50_000_000n }])
  await file.close?.()
})

test('with a ledger that is broken my limit holds and is stored, and nothing says that it is not', async () => {
  using dir = temporaryFolder()
  writeFileSync(join(dir.path, 'ledger.db'), 'no database at all, whatever it is called')
  {
    await using app = await metered({ dir: dir.path })
    await app.meter.setLimit('acme', { usd: 0 })
    expect(app.problems.filter(({ kind }) => kind === 'limit').map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^The change of a limit of tenant "acme" holds and is stored; the ledger could not be told of it: The ledger at .+\.$/,
      ),
    ])
  }
  await using next = await metered({ dir: dir.path })
  await expect(next.meter.forTenant('acme', () => next.chat())).rejects.toThrow(LimitExceededError)
})

test('a folder that nothing can be written in is told of once, and limits hold in the process', async () => {
  using dir = temporaryFolder()
  await using app = await metered({ dir: join(dir.path, '\0') })
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.setLimit('acme', { usd: 0 })
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
  await app.meter.setLimit('acme', { usd: 0, per: 'day' })
  const place = `${dir.path}/\0`
  expect(
    new Set(app.problems.filter(({ kind }) => ['ledger', 'limit'].includes(kind)).map(({ message }) => message)),
  ).toEqual(
    new Set([
      `The limit store at ${place}/limits.db cannot be opened; limits are kept in the memory of this process only.`,
      `A limit of tenant "acme" could not be stored: The ledger at ${place}/ledger.db cannot be opened (ERR_INVALID_ARG_VALUE).`,
      'The spend of earlier runs could not be read from the ledger; limits count from now.',
    ]),
  )
})
