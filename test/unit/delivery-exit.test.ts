// What becomes of events when a process ends: real processes, real exits.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'

const SOURCE = new URL('../../src/', import.meta.url)

/** Runs a program that has `createDelivery`, the sinks and `event()`; resolves when it has ended. */
function run(program: string): Promise<{ code: number | null; out: string; err: string }> {
  const preamble = `
    const { createDelivery } = await import('${SOURCE}delivery/delivery.ts')
    const { createProblems } = await import('${SOURCE}problems.ts')
    const { httpSink } = await import('${SOURCE}sinks/http.ts')
    const { sqliteLedger } = await import('${SOURCE}sinks/sqlite.ts')
    const { eventId, isoTime } = await import('${SOURCE}event.ts')
    const problems = createProblems({ onProblem: ({ message }) => console.log(message), raiseOnError: false })
    const event = () => ({ eventId: eventId(Date.now()), timestamp: isoTime(Date.now()), tenantId: 'acme', provider: 'openai', model: 'm', endpoint: 'e', usageSource: 'absent' })
    const record = (delivery, count) => { for (let i = 0; i < count; i++) delivery.add(event()) }
  `
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', preamble + program])
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

test.each([
  ['by itself', ''],
  ['by process.exit()', 'process.exit(0)'],
  ['by an uncaught error', "setImmediate(() => { throw new Error('mine') })"],
])('a process that ends %s leaves every event in its ledger', async (_, end) => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'deep', 'ledger.db')
  const { err } = await run(`
    const delivery = createDelivery({ problems, sinks: [sqliteLedger({ path: ${JSON.stringify(path)} })] })
    record(delivery, 777)
    ${end}
  `)
  if (!end.includes('throw')) expect(err).toBe('')
  const ledger = sqliteLedger({ path, readOnly: true })
  expect(await ledger.totals({ by: ['tenant'] })).toMatchObject([{ key: ['acme'], calls: 777 }])
  await ledger.close()
})

test('a process that ends by itself delivers over HTTP without being told to flush', async () => {
  await using server = await ingest()
  const { code, err } = await run(`
    const delivery = createDelivery({ problems, sinks: [httpSink({ url: '${server.url}', apiKey: '${API_KEY}' })] })
    record(delivery, 333)
  `)
  expect([code, err]).toEqual([0, ''])
  expect(await server.ledger.totals({ by: [] })).toMatchObject([{ calls: 333 }])
})

test('records that are made while the process ends are delivered with it', async () => {
  await using server = await ingest()
  const { code } = await run(`
    const delivery = createDelivery({
      problems,
      sinks: [httpSink({ url: '${server.url}', apiKey: '${API_KEY}' })],
      beforeEnd: async () => { await null; delivery.add(event()) },
    })
    delivery.watchEnd()
    delivery.watchRollUp(() => delivery.add(event()))
  `)
  expect(code).toBe(0)
  expect(await server.ledger.totals({ by: [] })).toMatchObject([{ calls: 2 }])
})

test('records that are made as the process exits are in its ledger', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  await run(`
    const delivery = createDelivery({
      problems,
      sinks: [sqliteLedger({ path: ${JSON.stringify(path)} })],
      atExit: () => { record(delivery, 3); throw new Error('and then it fails') },
    })
    delivery.watchEnd()
    process.exit(0)
  `)
  const ledger = sqliteLedger({ path, readOnly: true })
  expect(await ledger.totals({ by: [] })).toMatchObject([{ calls: 3 }])
  await ledger.close()
})

test('a dead endpoint does not keep the process for ever', async () => {
  const { code, out } = await run(`
    const delivery = createDelivery({ problems, sinks: [httpSink({ url: 'http://127.0.0.1:9/v1/ingest', apiKey: 'k' })] })
    record(delivery, 100)
  `)
  expect(code).toBe(0)
  expect(out.trim()).toBe('100 events were not delivered to http before the end')
})

test('an endpoint that never answers does not keep the process for ever', async () => {
  await using server = await ingest()
  server.misbehave(() => new Promise(() => {}))
  const { code, out } = await run(`
    const delivery = createDelivery({ problems, sinks: [httpSink({ url: '${server.url}', apiKey: '${API_KEY}' })] })
    record(delivery, 2)
  `)
  expect(code).toBe(0)
  expect(out.trim()).toBe('2 events were not delivered to http before the end')
  expect(server.received).toHaveLength(1)
})

test('an application that records in its own beforeExit still ends', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const { code } = await run(`
    const delivery = createDelivery({ problems, sinks: [sqliteLedger({ path: ${JSON.stringify(path)} })] })
    record(delivery, 1)
    process.on('beforeExit', () => record(delivery, 1))
  `)
  expect(code).toBe(0)
  const ledger = sqliteLedger({ path, readOnly: true })
  const [total] = await ledger.totals({ by: [] })
  expect(total!.calls).toBeGreaterThanOrEqual(2)
  await ledger.close()
})

test('a pending close keeps the process alive until it is done', async () => {
  await using server = await ingest()
  server.misbehave(() => new Response(null, { status: 503 }))
  const { code, out } = await run(`
    const delivery = createDelivery({ problems, sinks: [httpSink({ url: '${server.url}', apiKey: '${API_KEY}' })] })
    record(delivery, 5)
    await delivery.close()
    console.log('closed', delivery.stats().delivered)
  `)
  expect([code, out.trim()]).toEqual([0, 'closed 5'])
})

test('two hundred meters in one process do not make Node warn of a leak', async () => {
  const { err, out } = await run(`
    process.on('warning', ({ message }) => console.error(message))
    for (let i = 0; i < 200; i++) record(createDelivery({ problems, sinks: [{ name: 's', send: async () => ({ outcome: 'delivered' }) }] }), 1)
    console.log(process.listenerCount('beforeExit'), process.listenerCount('exit'))
  `)
  expect([err, out.trim()]).toEqual(['', '1 1'])
})
