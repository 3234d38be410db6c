// The file of jobs: what one process notes another finds, and a file that cannot be used stops nothing.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { JobOrigin, JobStore } from '../../src/call/jobs.ts'
import { createJobStore } from '../../src/meter/job-store.ts'
import { createProblems, type Problem } from '../../src/problems.ts'

const origin = (tenantId: string, at = Date.now()): JobOrigin => ({
  payer: { tenantId, attribution: { feature: 'film', tags: { beta: true } } },
  provider: 'openai',
  host: 'api.openai.com',
  endpoint: 'videos',
  facts: { model: 'sora-2', stream: false, metadata: { seconds: '8' } },
  at,
})

function opened(path: string) {
  const problems: Problem[] = []
  const store = createJobStore(
    path,
    createProblems({ raiseOnError: false, onProblem: (problem) => problems.push(problem) }),
  )
  onTestFinished(() => store.close())
  return { store, problems }
}

function claimed(store: JobStore, keys: readonly string[], at: number): readonly string[] {
  const recorded: string[] = []
  store.claim(keys, at, (fresh) => recorded.push(...fresh))
  return recorded
}

const folder = () => mkdtempSync(join(tmpdir(), 'job-store-'))

test('what was noted is found, also by another process, and the first note stands', () => {
  const path = join(folder(), 'deep', 'er', 'jobs.db')
  const first = opened(path).store
  const acme = origin('acme')
  first.put('openai v1', acme)
  first.put('openai v1', origin('late'))
  const { store, problems } = opened(path)
  expect(store.get('openai v1')).toEqual(acme)
  expect(store.get('openai v2')).toBeUndefined()
  expect(problems).toEqual([])
})

test('what one process records no other does, however many there are of them', () => {
  const path = join(folder(), 'jobs.db')
  const [first, second] = [opened(path).store, opened(path).store]
  const keys = Array.from({ length: 50_000 }, (_, i) => `openai batch_req_${i}`)
  expect(claimed(first, keys.slice(0, 40_000), Date.now())).toHaveLength(40_000)
  expect(claimed(second, keys, Date.now())).toEqual(keys.slice(40_000))
  expect(claimed(first, keys, Date.now())).toEqual([])
})

test('what was not recorded after all, as by a process that died meanwhile, is recorded by the next one', () => {
  const path = join(folder(), 'jobs.db')
  const { store } = opened(path)
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const seen = (): number => {
    const db = new DatabaseSync(path, { readOnly: true })
    const { noted } = db.prepare('SELECT count(*) AS noted FROM recorded').get() as { noted: number }
    db.close()
    return noted
  }
  const noted: number[] = []
  store.claim(['a', 'b'], Date.now(), () => noted.push(seen()))
  expect([...noted, seen()]).toEqual([0, 2])
})

test('a fault while recording reaches whoever asked, and leaves the file to others', () => {
  const path = join(folder(), 'jobs.db')
  const { store } = opened(path)
  const failing = () => {
    throw new Error('no room')
  }
  expect(() => store.claim(['a'], Date.now(), failing)).toThrow('no room')
  expect(claimed(opened(path).store, ['a'], Date.now())).toEqual(['a'])
})

test('what was recorded is forgotten with what no provider keeps any more', () => {
  const path = join(folder(), 'jobs.db')
  const { store } = opened(path)
  claimed(store, ['old'], Date.now() - 32 * 24 * 60 * 60 * 1000)
  claimed(store, ['new'], Date.now())
  store.close()
  expect(claimed(opened(path).store, ['old', 'new'], Date.now())).toEqual(['old'])
})

test('a file of an earlier version, which does not know what was recorded, learns it', () => {
  const path = join(folder(), 'jobs.db')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const db = new DatabaseSync(path)
  db.exec('CREATE TABLE jobs (key TEXT PRIMARY KEY, at INTEGER NOT NULL, origin TEXT NOT NULL) STRICT, WITHOUT ROWID')
  db.close()
  const { store, problems } = opened(path)
  expect([claimed(store, ['a'], Date.now()), claimed(store, ['a'], Date.now())]).toEqual([['a'], []])
  expect(problems).toEqual([])
})

test('a closed store opens again with the next job', () => {
  const { store } = opened(join(folder(), 'jobs.db'))
  store.put('openai v1', origin('acme'))
  store.close()
  store.close()
  expect(store.get('openai v1')?.payer.tenantId).toBe('acme')
})

test('what no provider keeps any more is forgotten', () => {
  const path = join(folder(), 'jobs.db')
  const { store } = opened(path)
  store.put('old', origin('acme', Date.now() - 32 * 24 * 60 * 60 * 1000))
  store.put('new', origin('acme', Date.now() - 30 * 24 * 60 * 60 * 1000))
  store.close()
  const again = opened(path).store
  expect(again.get('old')).toBeUndefined()
  expect(again.get('new')).toBeDefined()
})

test('a file that is no database is reported once, and nothing is thrown', () => {
  const path = join(folder(), 'jobs.db')
  writeFileSync(path, 'this is not a database, however long it may be'.repeat(50))
  const { store, problems } = opened(path)
  for (let i = 0; i < 3; i++) {
    store.put('openai v1', origin('acme'))
    expect(store.get('openai v1')).toBeUndefined()
    // Better twice than never: the ledger knows the event by its id.
    expect(claimed(store, ['openai v1'], Date.now())).toEqual(['openai v1'])
  }
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatchObject({ kind: 'internal', message: expect.stringContaining(path) })
})

test('a row that is no origin is none', () => {
  const path = join(folder(), 'jobs.db')
  const { store, problems } = opened(path)
  store.put('openai v1', origin('acme'))
  store.close()
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const db = new DatabaseSync(path)
  db.exec(`UPDATE jobs SET origin = '{"torn'`)
  db.close()
  expect(store.get('openai v1')).toBeUndefined()
  expect(problems).toHaveLength(1)
})

test('nothing is opened before the first job', () => {
  const mkdir = vi.spyOn(process, 'getBuiltinModule')
  onTestFinished(() => mkdir.mockRestore())
  opened(join(folder(), 'jobs.db'))
  expect(mkdir.mock.calls.filter(([name]) => name === 'node:sqlite')).toEqual([])
})
