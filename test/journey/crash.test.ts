// A process that is killed in the middle of its work, as nothing can be caught: not one call that had gone on is lost, and
// none counts twice. `npm run soak:crash` does it with a million.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../support/command-line.ts'
import { compare, killUnderLoad } from '../support/crash.ts'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'

const ROUNDS = 4

test('killed under load again and again, each in the folder of the one before: the ledger has every call once', async () => {
  using folder = temporaryFolder()
  for (let round = 1; round <= ROUNDS; round++) {
    const { seen, said } = await killUnderLoad(folder.path, round, 50 + Math.random() * 400)
    expect(said).toBe('')
    expect(seen).toBeGreaterThan(0)
  }
  const dir = join(folder.path, 'dir')
  const drained = await run(folder.path, ['drain', '--dir', dir])
  expect([drained.exitCode, drained.stderr]).toEqual([0, ''])
  const { seen, lost, doubled } = compare(folder.path, join(dir, 'ledger.db'))
  expect(seen).toBeGreaterThan(0)
  expect([lost, doubled, readdirSync(join(dir, 'spool'))]).toEqual([[], 0, []])
})

test('killed while the endpoint takes events and loses answers: it has every call once', async () => {
  using folder = temporaryFolder()
  await using server = await ingest()
  const env = { INGEST_URL: server.url, API_KEY }
  const unwell = () => new Response(null, { status: 503 })
  server.misbehave(...Array.from({ length: 20 }, (_, at) => (at % 3 === 0 ? unwell : () => undefined)))
  for (let round = 1; round <= 2; round++) await killUnderLoad(folder.path, round, 300, env)
  const dir = join(folder.path, 'dir')
  // Also while it is drained.
  server.misbehave(unwell, () => undefined, unwell)
  const drain = ['drain', '--dir', dir, '--url', server.url, '--api-key', API_KEY]
  const drained = await run(folder.path, drain)
  expect(drained.exitCode, drained.stderr).toBe(0)
  const path = join(server.folder, 'ledger.db')
  const { seen, lost, doubled } = compare(folder.path, path)
  expect(seen).toBeGreaterThan(0)
  expect([lost, doubled, readdirSync(join(dir, 'spool'))]).toEqual([[], 0, []])
})

test('drain keeps what an endpoint does not take in the time that it is given, and says how much', async () => {
  using folder = temporaryFolder()
  await using server = await ingest()
  await killUnderLoad(folder.path, 1, 50, { INGEST_URL: 'http://127.0.0.1:1', API_KEY })
  const dir = join(folder.path, 'dir')
  const drain = (wait: string) => run(folder.path, ['drain', '--dir', dir, '--url', server.url, '--wait', wait])
  // No key: the answer is 401.
  expect(await drain('0')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/\n.*\d+ bytes are left in /) })
  expect(await drain('soon')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('got `soon`') })
  const { exitCode, stderr } = await run(folder.path, [
    'drain',
    '--dir',
    dir,
    '--url',
    server.url,
    '--api-key',
    API_KEY,
  ])
  expect(exitCode, stderr).toBe(0)
  expect(compare(folder.path, join(server.folder, 'ledger.db'))).toMatchObject({ lost: [], doubled: 0 })
})

test('drain says where there is nothing, and leaves what is owed to others', async () => {
  using folder = temporaryFolder()
  expect(await run(folder.path, ['drain'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('Nothing is left'),
  })
})

test('dead letters are listed, shown, and sent again', async () => {
  using folder = temporaryFolder()
  await using server = await ingest()
  const bad = { event_id: 'bad-1', timestamp: '2026-11-22T09:00:00.000Z', tenant_id: 'acme', provider: 'openai' }
  const good = { ...bad, event_id: 'good-1', model: 'gpt-4o', endpoint: 'chat.completions', usage_source: 'absent' }
  const { mkdirSync, writeFileSync } = process.getBuiltinModule('node:fs')
  mkdirSync(join(folder.path, 'dead-letters'))
  const lines = [bad, good].map((event) =>
    JSON.stringify({ sink: 'http', reason: 'answered 422', at: '2026-11-22T09:00:01.000Z', event }),
  )
  writeFileSync(join(folder.path, 'dead-letters/http.jsonl'), `${lines.join('\n')}\n`)
  const cli = (...args: string[]) => run(folder.path, ['dead-letters', '--dir', folder.path, ...args])
  const listed = await cli()
  expect(listed.stdout).toMatch(/bad-1 +http +.*answered 422/)
  expect(JSON.parse((await cli('--show', 'good-1')).stdout)).toMatchObject({ event: good })
  expect(await cli('--show', 'none')).toMatchObject({ exitCode: 1 })
  const resent = await cli('--resend', '--url', server.url, '--api-key', API_KEY)
  expect(resent).toMatchObject({ exitCode: 1, stdout: '1 delivered to http, 1 kept.\n' })
  expect((await cli('--json')).stdout.trim().split('\n')).toHaveLength(1)
  expect((await server.ledger.events()).map(({ eventId }) => eventId)).toEqual(['good-1'])
})
