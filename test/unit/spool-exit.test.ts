// The table of exits: however a process ends, what it recorded reaches the next one. Real processes, real ends.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'
import { idsOnDisk, range, spooling, spoolsIn, testSink } from '../support/spool.ts'

const SOURCE = new URL('../../src/', import.meta.url)

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

/** Runs a program that has `open()`, which gives a delivery to a sink that is down, and `record(delivery, from, count)`. */
async function run(
  dir: string,
  program: string,
  signal?: NodeJS.Signals,
  flags: readonly string[] = [],
): Promise<Ended> {
  const code = `
    const { createDelivery } = await import('${SOURCE}delivery/delivery.ts')
    const { createProblems } = await import('${SOURCE}problems.ts')
    const problems = createProblems({ onProblem: ({ message }) => console.log(message), raiseOnError: false })
    const down = { name: 'test', send: async () => ({ outcome: 'retry', error: new Error('down') }) }
    const open = (options) => createDelivery({ sinks: [down], problems, spool: { dir: ${JSON.stringify(dir)} }, ...options })
    const event = (n) => ({ eventId: 'e' + n, timestamp: '2026-11-22T09:00:00.000Z', provider: 'p', model: 'm', endpoint: 'e', usageSource: 'absent' })
    const record = (delivery, from, count) => { for (let n = from; n < from + count; n++) delivery.add(event(n)) }
    ${program}
  `
  const child = spawn(process.execPath, [...flags, '--input-type=module', '--no-warnings', '-e', code])
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
      if (signal && output.includes('ready')) child.kill(signal)
    })
  const [exitCode, by] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code: exitCode, signal: by, output }
}

async function delivered(dir: string, silenceMs?: number): Promise<string[]> {
  const sink = testSink()
  await using next = spooling(dir, [sink], { silenceMs })
  // What cannot be asked is taken over after its silence.
  await vi.waitFor(async () => expect(await next.delivery.drainOrphans()).toMatchObject({ unsure: 0 }), PATIENT)
  expect(next.said).toEqual([])
  return sink.taken
}

const STAY = "console.log('ready'); setInterval(() => {}, 1000)"

describe('nothing that was recorded is lost when a process ends', () => {
  test.each<[string, string, Partial<Ended>, NodeJS.Signals | undefined]>([
    ['by itself', '', { code: 0 }, undefined],
    ['by process.exit()', 'process.exit(3)', { code: 3 }, undefined],
    ['by an uncaught error', "setImmediate(() => { throw new Error('mine') })", { code: 1 }, undefined],
    ['by an unhandled rejection', "void Promise.reject(new Error('mine'))", { code: 1 }, undefined],
    ['by SIGTERM', STAY, { signal: 'SIGTERM' }, 'SIGTERM'],
    ['by SIGINT', STAY, { signal: 'SIGINT' }, 'SIGINT'],
    ['by SIGKILL', STAY, { signal: 'SIGKILL' }, 'SIGKILL'],
    ['by abort()', 'process.abort()', { signal: 'SIGABRT' }, undefined],
  ])('%s', async (_, end, how, signal) => {
    using folder = temporaryFolder()
    const ended = await run(folder.path, `record(open(), 1, 1777); ${end}`, signal)
    expect(ended).toMatchObject(how)
    expect(await delivered(folder.path)).toEqual(range(1777))
    expect(spoolsIn(folder.path)).toEqual([])
  })

  test('by running out of memory', async () => {
    using folder = temporaryFolder()
    const ended = await run(
      folder.path,
      'record(open(), 1, 1777); const all = []; for (;;) all.push(new Array(1000).fill(all.length))',
      undefined,
      ['--max-old-space-size=40'],
    )
    expect(ended.output).toContain('out of memory')
    expect(await delivered(folder.path)).toEqual(range(1777))
  })

  test('with a worker thread that is terminated while its process lives', async () => {
    using folder = temporaryFolder()
    await run(
      folder.path,
      `
      const { Worker, isMainThread } = await import('node:worker_threads')
      const program = ${JSON.stringify(`
        import('${SOURCE}delivery/delivery.ts').then(async ({ createDelivery }) => {
          const { workerData, parentPort } = await import('node:worker_threads')
          const down = { name: 'test', send: async () => ({ outcome: 'retry', error: new Error('down') }) }
          const problems = { report() {}, clear() {}, guard: (kind, doing, fn) => fn(), counts: {} }
          const delivery = createDelivery({ sinks: [down], problems, spool: { dir: workerData } })
          for (let n = 1; n <= 50; n++) delivery.add({ eventId: 'e' + n, timestamp: '2026-11-22T09:00:00.000Z', provider: 'p', model: 'm', endpoint: 'e', usageSource: 'absent' })
          parentPort.postMessage('done')
          setInterval(() => {}, 1000)
        })`)}
      const worker = new Worker(program, { eval: true, workerData: ${JSON.stringify(folder.path)} })
      worker.once('message', async () => { await worker.terminate(); ${STAY} })
      `,
      'SIGTERM',
    )
    expect(await delivered(folder.path, 30)).toEqual(range(50))
  })

  test('of several at once in one folder, each event once', async () => {
    using folder = temporaryFolder()
    const all = [0, 1, 2, 3].map((at) => run(folder.path, `record(open(), ${at * 1000 + 1}, 1000); ${STAY}`, 'SIGKILL'))
    await Promise.all(all)
    const ids = await delivered(folder.path)
    expect(ids).toHaveLength(4000)
    expect(new Set(ids)).toEqual(new Set(range(4000)))
  })
})

test('no signal is listened for, unless `handleSignals` asks for it', async () => {
  using folder = temporaryFolder()
  const count =
    "console.log(process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')); await delivery.close(0)"
  const ended = await run(folder.path, `const delivery = open(); record(delivery, 1, 1); ${count}`)
  expect(ended.output).toMatch(/^0$/m)
})

test('with `handleSignals` everything is sent before the signal ends the process', async () => {
  using folder = temporaryFolder()
  const ended = await run(
    folder.path,
    `const up = { name: 'test', send: async ({ events }) => { console.log('took', events.length); return { outcome: 'delivered' } } }
    const delivery = open({ sinks: [up], handleSignals: true, flushIntervalMs: 60_000 }); record(delivery, 1, 7); ${STAY}`,
    'SIGTERM',
  )
  expect(ended.signal).toBe('SIGTERM')
  expect(ended.output).toContain('took 7')
  expect(spoolsIn(folder.path)).toEqual([])
})

test('a process that is stopped for long enough to be taken for dead goes on in a spool of its own', async () => {
  using folder = temporaryFolder()
  const sink = testSink('test', () => ({ outcome: 'retry', error: new Error('down') }))
  await using first = spooling(folder.path, [sink])
  first.add(3)
  const [spool] = spoolsIn(folder.path)
  // What another process does that takes it for dead.
  const { renameSync } = process.getBuiltinModule('node:fs')
  renameSync(spool!, spool!.replace(/\.[^.]+$/, '.free'))
  const now = Date.now
  try {
    Date.now = () => now() + 30_000
    first.add(1, 4)
  } finally {
    Date.now = now
  }
  expect(spoolsIn(folder.path)).toHaveLength(2)
  expect([...new Set(idsOnDisk(folder.path))].sort()).toEqual(range(4))
  expect(first.messages()).toEqual([expect.stringContaining('took the spool of this one over while it stood still')])
})
