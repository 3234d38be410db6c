// The spool: what is recorded is on disk before the recorder goes on, and reaches every sink, whatever dies in between.

import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { AdoptedSpool } from '../../src/delivery/spool/adopted.ts'
import { claim, foldersIn, release } from '../../src/delivery/spool/folder.ts'
import { encodeRecord } from '../../src/delivery/spool/record.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'
import {
  DONE,
  DOWN,
  eventOf,
  idsOnDisk,
  REFUSED,
  range,
  segmentsOf,
  spooling,
  spoolsIn,
  testSink,
} from '../support/spool.ts'

/** Leaves a spool behind as a process does that dies: nothing is closed, and nobody owns it any more. */
async function leftBehind(
  dir: string,
  count: number,
  sinks = [testSink('test', () => DOWN)],
  options = {},
): Promise<string> {
  const before = new Set(spoolsIn(dir))
  const run = spooling(dir, sinks, options)
  run.add(count)
  await run.delivery.flush()
  await run.delivery.close(0)
  return spoolsIn(dir).find((path) => !before.has(path))!
}

/** Waits until what was left behind is taken over and delivered. */
async function adopting(dir: string, sinks = [testSink()], options = {}) {
  const run = spooling(dir, sinks, options)
  await run.delivery.drainOrphans()
  return { ...run, sinks, sink: sinks[0]! }
}

describe('what is recorded', () => {
  test('is on disk as soon as it is recorded, and gone when every sink has it', async () => {
    using folder = temporaryFolder()
    const sink = testSink()
    await using run = spooling(folder.path, [sink])
    expect(spoolsIn(folder.path)).toEqual([])
    run.add(3)
    expect(idsOnDisk(folder.path)).toEqual(range(3))
    await run.delivery.close()
    expect(sink.taken).toEqual(range(3))
    expect(spoolsIn(folder.path)).toEqual([])
    expect(run.said).toEqual([])
  })

  test('is not written for a sink that forgets everything itself', async () => {
    using folder = temporaryFolder()
    const sink = memorySink()
    await using run = spooling(folder.path, [sink])
    run.add(3)
    await run.delivery.flush()
    expect(sink.events).toHaveLength(3)
    expect(readdirSync(folder.path)).toEqual([])
  })

  test('reaches the next process when this one dies, each event once, in order', async () => {
    using folder = temporaryFolder()
    await leftBehind(folder.path, 777)
    const { sink, delivery, said } = await adopting(folder.path)
    expect(sink.taken).toEqual(range(777))
    expect(sink.batches.every(({ isBacklog }) => isBacklog)).toBe(true)
    expect(delivery.stats().spool).toMatchObject({ adopted: 1, bytes: 0, torn: 0, corrupt: 0, state: 'ok' })
    expect([spoolsIn(folder.path), said]).toEqual([[], []])
    await delivery.close()
  })

  test('begins after what a sink had taken already', async () => {
    using folder = temporaryFolder()
    const half = testSink('test', (batch) => (batch.events[0]!.eventId === 'e101' ? DOWN : DONE))
    await leftBehind(folder.path, 150, [half])
    expect(half.taken).toEqual(range(100))
    const { sink, delivery } = await adopting(folder.path)
    expect(sink.taken).toEqual(range(50, 101))
    await delivery.close()
  })

  test('travels with the JSON that was written, so that it is written once', async () => {
    using folder = temporaryFolder()
    const sink = testSink()
    await using run = spooling(folder.path, [sink])
    run.add(2)
    await run.delivery.flush()
    expect(sink.batches[0]!.json!.map((json) => JSON.parse(json).event_id)).toEqual(range(2))
  })

  test('is kept for each sink as long as that one needs it', async () => {
    using folder = temporaryFolder()
    const [up, down] = [testSink('up'), testSink('down', () => DOWN)]
    await leftBehind(folder.path, 60, [up, down])
    expect(up.taken).toEqual(range(60))
    const sinks = [testSink('up'), testSink('down')]
    const { delivery } = await adopting(folder.path, sinks)
    expect(sinks.map(({ taken }) => taken.length)).toEqual([0, 60])
    expect(spoolsIn(folder.path)).toEqual([])
    await delivery.close()
  })

  test('is delivered even if it is too odd for JSON, from memory', async () => {
    using folder = temporaryFolder()
    const sink = testSink()
    await using run = spooling(folder.path, [sink])
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    run.add(1, 1, { tags: circle as never })
    run.add(1, 2)
    await run.delivery.flush()
    expect(sink.taken).toEqual(range(2))
    expect(run.messages()).toEqual(['Event e1 cannot be written as JSON; it is kept in memory only'])
  })
})

describe('a sink that is down', () => {
  test('costs no memory: what does not fit is read from disk again, in order', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', () => DOWN)
    await using run = spooling(folder.path, [sink], { maxQueueSize: 100 })
    run.add(5000)
    expect(run.delivery.stats()).toMatchObject({ queued: 5000, dropped: 0 })
    sink.answer = () => DONE
    await run.delivery.close()
    expect(sink.taken).toEqual(range(5000))
    expect(run.said).toEqual([])
  })

  test('does not hold up another one', async () => {
    using folder = temporaryFolder()
    const [up, stuck] = [testSink('up'), testSink('stuck', () => new Promise(() => {}))]
    await using run = spooling(folder.path, [up, stuck], { maxQueueSize: 100 })
    for (let round = 0; round < 10; round++) {
      run.add(100, round * 100 + 1)
      await Promise.race([run.delivery.flush(), new Promise((resolve) => setImmediate(() => setImmediate(resolve)))])
    }
    while (up.taken.length < 1000) await new Promise((resolve) => setImmediate(resolve))
    expect(up.taken).toEqual(range(1000))
    expect(run.delivery.stats().sinks['stuck']).toMatchObject({ queued: 1000, dropped: 0 })
  })

  test('has its events counted, as an event, where the spool is full and gives up the oldest', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', () => DOWN)
    await using run = spooling(folder.path, [sink], { maxQueueSize: 10, maxSpoolBytes: 65_536 })
    run.add(2000)
    const { dropped, queued } = run.delivery.stats()
    expect(dropped).toBeGreaterThan(1000)
    // One more than is left: the event that tells of the others.
    expect(dropped + queued).toBe(2001)
    expect(run.delivery.stats().spool).toMatchObject({ state: 'full' })
    expect(run.delivery.stats().spool!.bytes).toBeLessThanOrEqual(65_536)
    sink.answer = () => DONE
    await run.delivery.close()
    const events = sink.batches.flatMap((batch) => batch.events)
    expect(events.filter(({ provider }) => provider === 'tallygate')).toMatchObject([{ calls: dropped, error: 'lost' }])
    const whole = new Set(sink.taken.filter((id) => /^e\d+$/.test(id)))
    expect(whole.size).toBe(2000 - dropped)
    expect([...whole].at(-1)).toBe('e2000')
    expect(run.messages()).toEqual([
      `The spool below ${folder.path}/spool is full (65536 bytes): the oldest events are given up`,
      'The queue for test is full (10 events): the oldest events are being dropped',
    ])
  })

  test('has the oldest kept, where the spool gives up new ones', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', () => DOWN)
    await using run = spooling(folder.path, [sink], {
      maxQueueSize: 10,
      maxSpoolBytes: 65_536,
      onSpoolFull: 'drop-new',
    })
    run.add(2000)
    const { dropped } = run.delivery.stats()
    sink.answer = () => DONE
    await run.delivery.close()
    expect(sink.taken.filter((id) => /^e\d+$/.test(id))).toEqual(range(2000 - dropped))
    expect(sink.batches.flatMap(({ events }) => events).filter(({ error }) => error === 'lost')).toMatchObject([
      { calls: dropped },
    ])
  })

  test('lets new calls wait, where the spool says `block`, until there is room', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', () => DOWN)
    await using run = spooling(folder.path, [sink], { maxQueueSize: 10, maxSpoolBytes: 65_536, onSpoolFull: 'block' })
    expect(run.delivery.room()).toBeUndefined()
    run.add(1000)
    const room = run.delivery.room()
    expect(room).toBeInstanceOf(Promise)
    sink.answer = () => DONE
    while (run.delivery.stats().queued > 0) await run.delivery.flush()
    await room
    expect(sink.taken).toEqual(range(1000))
    expect([run.delivery.room(), run.delivery.stats().dropped]).toEqual([undefined, 0])
  })

  test('tells of the loss in the next process when this one dies before it could', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', () => DOWN)
    const run = spooling(folder.path, [sink], { maxQueueSize: 10, maxSpoolBytes: 65_536 })
    run.add(2000)
    const { dropped } = run.delivery.stats()
    await run.delivery.close(0)
    const next = await adopting(folder.path)
    const told = next.sink.batches.flatMap(({ events }) => events).filter(({ error }) => error === 'lost')
    expect(told).toMatchObject([{ calls: dropped }])
    await next.delivery.close()
  })
})

describe('a poison event', () => {
  test('that is no JSON, though its checksum is right, goes to the dead letters as it is, and the others arrive', async () => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 3, [testSink('sqlite', () => DOWN)])
    const [segment] = segmentsOf(spool)
    appendFileSync(segment!, encodeRecord('event', '{"event_id":"bad","tenant_id":'))
    const ledger = sqliteLedger({ path: join(folder.path, 'ledger.db') })
    const run = spooling(folder.path, [ledger])
    await run.delivery.drainOrphans()
    expect((await ledger.events()).map(({ eventId }) => eventId).sort()).toEqual(range(3))
    expect(JSON.parse(readFileSync(join(folder.path, 'dead-letters/sqlite.jsonl'), 'utf8'))).toMatchObject({
      sink: 'sqlite',
      event: { event_id: 'bad', unreadable: '{"event_id":"bad","tenant_id":' },
    })
    expect(run.messages()).toEqual([expect.stringContaining('refused event bad for good')])
    await run.delivery.close()
    expect(spoolsIn(folder.path)).toEqual([])
  })

  test('goes to the dead letters with its reason, and the others arrive', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', ({ events }) => (events.some(({ eventId }) => eventId === 'e13') ? REFUSED : DONE))
    await using run = spooling(folder.path, [sink])
    run.add(30)
    await run.delivery.close()
    expect(new Set(sink.taken)).toEqual(new Set(range(30).filter((id) => id !== 'e13')))
    const [letter, ...others] = readFileSync(join(folder.path, 'dead-letters/test.jsonl'), 'utf8').trim().split('\n')
    expect(others).toEqual([])
    expect(JSON.parse(letter!)).toMatchObject({ sink: 'test', reason: 'answered 400', event: { event_id: 'e13' } })
    expect(spoolsIn(folder.path)).toEqual([])
  })
})

describe('a spool that is damaged', () => {
  test('loses nothing but the line that was never finished', async () => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 10)
    appendFileSync(segmentsOf(spool)[0]!, '0123abcd event {"event_id":"torn"')
    const { sink, delivery, said } = await adopting(folder.path)
    expect(sink.taken).toEqual(range(10))
    expect([delivery.stats().spool, said]).toMatchObject([{ torn: 1, corrupt: 0 }, []])
    await delivery.close()
  })

  test('has its bad records set aside with the reason, once, and delivers the others', async () => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 10, [testSink('a', () => DOWN), testSink('b', () => DOWN)])
    const [segment] = segmentsOf(spool)
    writeFileSync(segment!, readFileSync(segment!, 'utf8').replace('"e4"', '"e5"'))
    const { sinks, delivery, messages } = await adopting(folder.path, [testSink('a'), testSink('b')])
    for (const { taken } of sinks) expect(taken).toEqual(range(10).filter((id) => id !== 'e4'))
    const aside = readFileSync(join(folder.path, 'spool/set-aside.jsonl'), 'utf8').trim().split('\n')
    expect(aside).toHaveLength(1)
    expect(JSON.parse(aside[0]!)).toMatchObject({ reason: 'its checksum is wrong', segment: 1 })
    expect(messages()).toEqual([
      expect.stringMatching(
        /^A record in .+ could not be read \(its checksum is wrong\); it is set aside in .+set-aside\.jsonl$/,
      ),
    ])
    expect(delivery.stats().spool).toMatchObject({ corrupt: 1 })
    await delivery.close()
  })

  test.each([
    [
      'of a newer version',
      'tallygate-spool 2 {"owes":["test"],"more":1}\n',
      'was written by a newer version of tallygate',
    ],
    ['of somebody else', 'GIF89a\n', 'is no spool of tallygate'],
  ])('%s is left alone, and one sentence says so', async (_, text, what) => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 3)
    writeFileSync(segmentsOf(spool)[0]!, text)
    const { sink, delivery, messages } = await adopting(folder.path)
    await delivery.drainOrphans()
    expect(sink.taken).toEqual([])
    expect(messages()).toEqual([`${spool} ${what}; it is left alone`])
    await delivery.close()
    expect(readFileSync(segmentsOf(spool)[0]!, 'utf8')).toBe(text)
  })

  test('whose cursor is gone begins at the beginning: twice is better than never', async () => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 60, [
      testSink('test', ({ events }) => (events[0]!.eventId === 'e1' ? DONE : DOWN)),
    ])
    writeFileSync(join(spool, 'cursor-test.json'), '{"segment":')
    const { sink, delivery } = await adopting(folder.path)
    expect(sink.taken).toEqual(range(60))
    await delivery.close()
  })

  test('other files below the folder are nobody of ours', async () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'spool/notes'), { recursive: true })
    writeFileSync(join(folder.path, 'spool/readme.txt'), 'mine')
    const { delivery, said } = await adopting(folder.path)
    expect(said).toEqual([])
    await delivery.close()
    expect(readdirSync(join(folder.path, 'spool')).sort()).toEqual(['notes', 'readme.txt'])
  })
})

describe('several processes', () => {
  test('what one of them cannot settle of a dead one is there for the next, and its events are sent once', async () => {
    using folder = temporaryFolder()
    await leftBehind(folder.path, 20)
    let asked = 0
    const onAdopted = (spool: AdoptedSpool) => {
      asked++
      spool.retain()(false)
    }
    const { sink, delivery } = await adopting(folder.path, [testSink()], { onAdopted })
    await delivery.drainOrphans()
    // Not again by the same, and while that one lives.
    expect([sink.taken, asked, spoolsIn(folder.path).length]).toEqual([range(20), 1, 1])
    expect(delivery.stats().spool).toMatchObject({ bytes: 0 })
    let records = 0
    const next = await adopting(folder.path, [testSink()], {
      onAdopted(spool: AdoptedSpool) {
        const release = spool.retain()
        for (const _ of spool.records()) records++
        release()
      },
    })
    expect([next.sink.taken, records, spoolsIn(folder.path)]).toEqual([[], 20, []])
    await Promise.all([delivery.close(), next.delivery.close()])
  })

  test('do not take over what a living one writes', async () => {
    using folder = temporaryFolder()
    await using living = spooling(folder.path, [testSink('test', () => DOWN)])
    living.add(5)
    const { sink, delivery } = await adopting(folder.path)
    expect(sink.taken).toEqual([])
    await delivery.close()
    expect(idsOnDisk(folder.path)).toEqual(range(5))
  })

  test('take over a spool once: of two that try, exactly one wins', async () => {
    using folder = temporaryFolder()
    await leftBehind(folder.path, 1)
    const root = join(folder.path, 'spool')
    const [found] = foldersIn(root)
    const won = [claim(root, found!), claim(root, found!)]
    expect(won.filter((it) => it !== undefined)).toHaveLength(1)
    release(root, won[0]!)
  })

  test('leave what is owed to a sink that they do not have, and say who can deliver it', async () => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 3, [testSink('http', () => DOWN)])
    const { sink, delivery, messages } = await adopting(folder.path, [testSink('sqlite')])
    expect(sink.taken).toEqual([])
    expect(messages()).toEqual([
      `${spool} holds events of an earlier process for http, which this one does not have: \`npx tallygate drain\` delivers them`,
    ])
    await delivery.close()
    expect(idsOnDisk(folder.path)).toEqual(range(3))
  })

  test('take over one that cannot be asked only after a long silence', async () => {
    using folder = temporaryFolder()
    const spool = await leftBehind(folder.path, 3)
    // Of another machine: another boot, another namespace.
    const elsewhere = `${spool.slice(0, spool.lastIndexOf('.'))}.7-0-1-1-abc-def`
    renameSync(spool, elsewhere)
    const sink = testSink()
    await using run = spooling(folder.path, [sink], { silenceMs: 30 })
    expect(await run.delivery.drainOrphans()).toMatchObject({ unsure: 1 })
    expect(sink.taken).toEqual([])
    await vi.waitFor(async () => expect(await run.delivery.drainOrphans()).toMatchObject({ unsure: 0 }), PATIENT)
    expect(sink.taken).toEqual(range(3))
  })

  test('of which one began a segment with records of its own has its events all the same', async () => {
    using folder = temporaryFolder()
    const opening = () => [['reserve', { id: 0, why: 'x'.repeat(2000) }]] as const
    await leftBehind(folder.path, 2000, [testSink('test', () => DOWN)], { opening, maxSpoolBytes: 8_000_000 })
    const { sink, delivery } = await adopting(folder.path)
    expect(sink.taken).toEqual(range(2000))
    await delivery.close()
  })

  test('tell of records of other kinds before the spool is delivered', async () => {
    using folder = temporaryFolder()
    const first = spooling(folder.path, [testSink('test', () => DOWN)], { opening: () => [['reserve', { id: 0 }]] })
    first.delivery.note('reserve', { id: 1 })
    first.add(1)
    first.delivery.note('settle', { id: 1 })
    await first.delivery.close(0)
    const records: unknown[] = []
    const sink = testSink()
    await using run = spooling(folder.path, [sink], {
      onAdopted: (spool) =>
        void records.push(...[...spool.records()].map(({ kind, json }) => [kind, JSON.parse(json)])),
    })
    await run.delivery.drainOrphans()
    expect(records.map((record) => (record as string[])[0])).toEqual(['reserve', 'reserve', 'event', 'settle'])
    expect(sink.taken).toEqual(['e1'])
  })
})

describe('a disk that fails', () => {
  // Root writes where it may not.
  test.skipIf(process.getuid?.() === 0)(
    'that is read-only is told of once, and metering goes on in memory',
    async () => {
      using folder = temporaryFolder()
      chmodSync(folder.path, 0o500)
      const sink = testSink()
      await using run = spooling(folder.path, [sink])
      run.add(100)
      await run.delivery.flush()
      expect(sink.taken).toEqual(range(100))
      expect(run.messages()).toEqual([
        `The spool below ${folder.path}/spool may not be written by this user: events are kept in memory only, and calls go on`,
      ])
      chmodSync(folder.path, 0o700)
    },
  )

  test('with a file in the way is told of once, and metering goes on in memory', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'spool'), 'mine')
    const sink = testSink()
    await using run = spooling(folder.path, [sink])
    run.add(100)
    expect(run.delivery.stats().spool).toMatchObject({ state: 'down' })
    await run.delivery.flush()
    expect(sink.taken).toEqual(range(100))
    expect(run.messages()).toEqual([expect.stringContaining('events are kept in memory only, and calls go on')])
  })

  test('and works again has what was in memory meanwhile, before anything newer', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'spool'), 'mine')
    await using run = spooling(folder.path, [testSink('test', () => DOWN)])
    run.add(3)
    rmSync(join(folder.path, 'spool'))
    // With an event of a second later it is tried again.
    let count = 3
    await vi.waitFor(() => {
      run.add(1, ++count)
      expect(run.delivery.stats().spool).toMatchObject({ state: 'ok' })
    }, PATIENT)
    expect(idsOnDisk(folder.path)).toEqual(range(count))
  })

  test('loses nothing of a folder that vanishes while what is in it is in memory too', async () => {
    using folder = temporaryFolder()
    const sink = testSink('test', () => DOWN)
    const run = spooling(folder.path, [sink])
    run.add(5)
    rmSync(join(folder.path, 'spool'), { recursive: true })
    sink.answer = () => DONE
    await run.delivery.close()
    expect(sink.taken).toEqual(range(5))
  })
})

test('durable: a flush resolves when what was recorded is on the disk, whatever the sinks do', async () => {
  using folder = temporaryFolder()
  for (const durability of ['memory', 'os', 'fsync'] as const) {
    const sink = testSink('test', () => new Promise(() => {}))
    await using run = spooling(folder.path, [sink], { durability })
    run.add(20)
    await run.delivery.flush({ durable: true })
    expect(idsOnDisk(folder.path).filter((id) => /^e\d+$/.test(id))).toEqual(range(20))
    rmSync(spoolsIn(folder.path)[0]!, { recursive: true })
  }
})

test('with `fsync`, a meter that is closed in the middle of a commit says nothing', async () => {
  using folder = temporaryFolder()
  const run = spooling(folder.path, [testSink()], { durability: 'fsync' })
  run.add(50)
  await run.delivery.close()
  // Nothing tells that no word will come: ten times as long as such a commit takes.
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(run.said).toEqual([])
})

test('with `memory`, what is left is written when the process is over, and nothing before', async () => {
  using folder = temporaryFolder()
  const run = spooling(folder.path, [testSink('test', () => DOWN)], { durability: 'memory' })
  run.add(20)
  expect(idsOnDisk(folder.path)).toEqual([])
  await run.delivery.close(0)
  expect(idsOnDisk(folder.path)).toEqual(range(20))
  const { sink, delivery } = await adopting(folder.path)
  expect(sink.taken).toEqual(range(20))
  await delivery.close()
})

test('an event of a megabyte is spooled and delivered like any other, and leaves room for no other in memory', async () => {
  using folder = temporaryFolder()
  const sink = testSink('test', () => DOWN)
  await using run = spooling(folder.path, [sink])
  const tags = { long: 'x'.repeat(1024 * 1024) }
  for (let number = 1; number <= 20; number++) run.delivery.add(eventOf(number, { tags }))
  sink.answer = () => DONE
  await run.delivery.close()
  expect(sink.taken).toEqual(range(20))
  // A batch is a megabyte or one event.
  expect(Math.max(...sink.batches.map(({ events }) => events.length))).toBe(1)
})
