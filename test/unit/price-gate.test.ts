// The gate of a user's own build: how old the prices are, what has none, and what is another than was pinned.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readValues } from '../../src/cli/command.ts'
import { runGate } from '../../src/cli/price-gate.ts'
import { prices } from '../../src/cli/prices.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event } from '../support/ledgers.ts'

function place() {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  mkdirSync(folder.path, { recursive: true })
  const path = (name: string) => join(folder.path, name)
  writeFileSync(path('models.txt'), 'openai/gpt-4o\nanthropic/claude-opus-4-6\n')
  return { path, folder: folder.path, pin: path('prices.pin.json') }
}

async function run(...args: string[]) {
  let out = ''
  const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: () => {} }, {})
  const exitCode = await prices.run(readValues(prices, args), { terminal, env: {} })
  return { out, exitCode }
}

test('a pin is written of the models that are named, and holds while nothing changes', async () => {
  const { path, pin } = place()
  const written = await run('--check', path('models.txt'), '--pin', pin, '--write-pin')
  expect(written).toMatchObject({ exitCode: 0, out: expect.stringContaining(`Pinned: ${pin}`) })
  expect(JSON.parse(readFileSync(pin, 'utf8'))).toMatchObject({
    models: { 'openai/gpt-4o': expect.anything(), 'anthropic/claude-opus-4-6': expect.anything() },
    tokenizers: { 'openai/gpt-4o': expect.stringMatching(/^\d+ by js-tiktoken@1\.0\.21\/o200k_base$/) },
  })
  expect(await run('--pin', pin)).toEqual({ exitCode: 0, out: 'Nothing is another than was pinned.\n' })
})

test('a price and a tokenizer that are another one now are named, and fail the build', async () => {
  const { path, pin } = place()
  await run('--check', path('models.txt'), '--pin', pin, '--write-pin')
  const text = readFileSync(pin, 'utf8')
    .replace('"$10 per 1,000,000"', '"$12 per 1,000,000"')
    .replace(/"\d+ by /, '"7 by ')
  writeFileSync(pin, text)
  const { exitCode, out } = await run('--pin', pin)
  expect(exitCode).toBe(1)
  expect(out).toMatch(/\$12 per 1,000,000 -> \$10 per 1,000,000\n/)
  expect(out).toMatch(/tokens of the sample {2}openai\/gpt-4o {2}7 by .* -> \d+ by js-tiktoken/)
  expect(out).toMatch(/2 changed since genai-prices-/)
})

test('the models of the ledger are checked, and one without a price fails the build', async () => {
  const { path, folder, pin } = place()
  const ledger = sqliteLedger({ path: path('ledger.db') })
  await ledger.send(
    { id: 'b', events: [event(), event({ provider: 'nobody', model: 'm-1' })] },
    new AbortController().signal,
  )
  await ledger.close()
  expect(await run('--used', '--dir', folder)).toEqual({
    exitCode: 1,
    out: 'nobody/m-1: no known price\n1 of 2 models have a price.\n',
  })
  await run('--used', '--dir', folder, '--pin', pin, '--write-pin')
  expect(Object.keys((JSON.parse(readFileSync(pin, 'utf8')) as { models: object }).models)).toEqual([
    'nobody/m-1',
    'openai/gpt-4o',
  ])
})

test.each([
  [29, 1],
  [30, 0],
  [null, 1],
])('a book that is %j days old where 29 days and one more are allowed', async (ageDays, exitCode) => {
  const terminal = createTerminal({ write: () => {} }, { write: () => {} }, {})
  const age = ageDays === null ? null : 59 - ageDays
  const gate = runGate(await loadPriceBook(), { 'max-age': '29' }, { at: Date.now(), ageDays: age, terminal, env: {} })
  expect(await gate).toBe(exitCode)
})

test.each<[string[], string]>([
  [['--write-pin'], '`--write-pin` goes with `--pin <file>`'],
  [['--pin', '/nowhere/pin.json'], 'The pin /nowhere/pin.json cannot be read (ENOENT)'],
  [['--max-age', 'x'], '`--max-age` takes a whole number of days'],
  [['--pin', '/tmp/pin.json', '--write-pin'], '`--write-pin` needs models'],
])('with %j says what is wrong', async (args, sentence) => {
  await expect(run(...args)).rejects.toThrow(sentence)
})

test('a file that is no pin says so', async () => {
  const { path } = place()
  await expect(run('--pin', path('models.txt'))).rejects.toThrow('is no pin')
})
