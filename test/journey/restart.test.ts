// A limit and what was spent of it outlive the process: they are in the ledger.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import OpenAI from 'openai'
import { LimitExceededError, Meter } from 'tallygate'
import { type Emulator, startEmulator } from 'tallygate/emulator'
import { expect, test } from 'vitest'
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

test('a ledger that cannot be read is told of once, and calls go on', async () => {
  using dir = temporaryFolder()
  await using app = await metered({ dir: join(dir.path, '\0') })
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.setLimit('acme', { usd: 0 })
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
  expect(app.problems.filter(({ kind }) => kind === 'ledger').map(({ message }) => message)).toEqual([
    'The limits of earlier runs could not be read from the ledger; only those set in this run hold.',
    'The spend of earlier runs could not be read from the ledger; limits count from now.',
  ])
})
