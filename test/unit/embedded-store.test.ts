// The limits that a meter keeps by itself: a file for all processes of a folder, made with the first limit.

import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { embeddedLimitStore } from '../../src/limits/embedded-store.ts'
import type { LimitRule } from '../../src/limits/limit-store.ts'
import { temporaryFolder } from '../support/ingest.ts'

const rule = (tenantId: string, usd: bigint): LimitRule => ({
  scope: `tenant=${tenantId}`,
  per: 'month',
  limitNanoUsd: usd * 1_000_000_000n,
  mode: 'hard',
  settings: {},
})

function stage(ledger?: readonly LimitRule[] | 'unreadable') {
  const folder = temporaryFolder()
  const path = join(folder.path, 'limits.db')
  const ledgerPath = join(folder.path, 'ledger.db')
  if (ledger) writeFileSync(ledgerPath, '')
  const told: string[] = []
  let reads = 0
  const open = () =>
    embeddedLimitStore({
      path,
      ledgerPath,
      inLedger: async () => {
        reads++
        return ledger === 'unreadable' ? undefined : (ledger ?? [])
      },
      onMemory: (cause) => void told.push((cause as Error).message),
    })
  return { path, told, open, reads: () => reads, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

const scopes = async (store: ReturnType<typeof embeddedLimitStore>) =>
  (await store.changes(0)).rules.map(({ scope, limitNanoUsd }) => `${scope} ${limitNanoUsd / 1_000_000_000n}`)

describe('a folder without limits', () => {
  test('has no file for them, and nobody waits', async () => {
    using it = stage()
    const store = it.open()
    expect(store.changes(0)).toEqual({ revision: 0, rules: [], removed: [] })
    expect(store.accounts([])).toEqual([])
    expect(store.removeLimit({ scope: 'tenant=acme', per: 'month' })).toBeUndefined()
    await store.close?.()
    expect([existsSync(it.path), it.reads()]).toEqual([false, 0])
  })

  test('has none either where there is a ledger without them, which is read once', async () => {
    using it = stage([])
    const store = it.open()
    expect(await store.changes(0)).toEqual({ revision: 0, rules: [], removed: [] })
    expect(store.changes(0)).toEqual({ revision: 0, rules: [], removed: [] })
    expect([existsSync(it.path), it.reads()]).toEqual([false, 1])
  })

  test('has the limit that another process sets, from its next look on', async () => {
    using it = stage()
    const [here, there] = [it.open(), it.open()]
    expect(here.changes(0)).toMatchObject({ rules: [] })
    await there.setLimit(rule('acme', 5n))
    expect(await scopes(here)).toEqual(['tenant=acme 5'])
    // Loaded by now.
    expect(here.changes(0)).not.toBeInstanceOf(Promise)
    for (const store of [here, there]) await store.close?.()
  })
})

describe('limits of a ledger', () => {
  test('are taken over once, whoever comes first, and do not come back', async () => {
    using it = stage([rule('acme', 5n), rule('globex', 7n)])
    const [one, two] = [it.open(), it.open()]
    // At once, and one of them sets a limit without having looked.
    await Promise.all([one.changes(0), two.setLimit(rule('acme', 9n))])
    expect(await scopes(one)).toEqual(['tenant=globex 7', 'tenant=acme 9'])
    await two.removeLimit({ scope: 'tenant=globex', per: 'month' })
    const later = it.open()
    expect(await scopes(later)).toEqual(['tenant=acme 9'])
    for (const store of [one, two, later]) await store.close?.()
  })

  test('that cannot be read are taken over by the next process that can', async () => {
    using it = stage('unreadable')
    const store = it.open()
    await store.setLimit(rule('initech', 1n))
    await store.close?.()
    const next = embeddedLimitStore({
      path: it.path,
      ledgerPath: it.path,
      inLedger: async () => [rule('acme', 5n)],
      onMemory: () => undefined,
    })
    expect((await scopes(next)).sort()).toEqual(['tenant=acme 5', 'tenant=initech 1'])
    await next.close?.()
  })
})

describe('what is asked while the file is opened', () => {
  test('is done in its order', async () => {
    using it = stage()
    const store = it.open()
    const order: string[] = []
    const note = (what: string) => () => void order.push(what)
    const set = Promise.resolve(store.setLimit(rule('acme', 5n))).then(note('set'))
    const seen = Promise.resolve(store.changes(0)).then(({ rules }) => note(`saw ${rules.length}`)())
    const again = Promise.resolve(store.setLimit(rule('acme', 6n))).then(note('set again'))
    await Promise.all([set, seen, again])
    expect(order).toEqual(['set', 'saw 1', 'set again'])
    expect(await scopes(store)).toEqual(['tenant=acme 6'])
    await store.close?.()
  })
})

describe('a file that cannot be', () => {
  test('leaves limits in the memory of the process, and is told of once', async () => {
    using it = stage([rule('globex', 7n)])
    writeFileSync(it.path, 'This is a letter of more than sixteen bytes to somebody.')
    const store = it.open()
    await store.setLimit(rule('acme', 5n))
    expect(await scopes(store)).toEqual(['tenant=globex 7', 'tenant=acme 5'])
    expect(store.isPrivate).toBe(true)
    expect(it.told).toEqual([`The limit store at ${it.path} is no SQLite file.`])
  })

  // Root writes where it may not.
  test.skipIf(process.getuid?.() === 0)('since nobody may write there, likewise', async () => {
    using it = stage()
    const folder = join(it.path, '..')
    chmodSync(folder, 0o500)
    const store = it.open()
    await store.setLimit(rule('acme', 5n))
    expect(it.told).toHaveLength(1)
    chmodSync(folder, 0o700)
  })

  test('since a folder has its name, likewise', async () => {
    using it = stage()
    mkdirSync(it.path)
    const store = it.open()
    expect(await scopes(store)).toEqual([])
    expect(it.told).toEqual([`The limit store at ${it.path} cannot be opened.`])
  })
})

test('a file that is deleted under a process is made again by what the process knows', async () => {
  using it = stage()
  const store = it.open()
  await store.setLimit(rule('acme', 5n))
  await store.setLimit(rule('globex', 5n))
  const { revision } = await store.changes(0)
  for (const suffix of ['', '-wal', '-shm']) rmSync(it.path + suffix, { force: true })
  // Which a limiter takes for a store that has lost everything.
  expect((await store.changes(revision)).revision).toBeLessThan(revision)
  await store.setLimit(rule('acme', 5n))
  expect(await scopes(it.open())).toEqual(['tenant=acme 5'])
  await store.close?.()
})
