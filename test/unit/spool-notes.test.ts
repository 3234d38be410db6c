// Records of other kinds than events: how long they stay, and that they take no more room than they need.

import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { DOWN, segmentsOf, spooling, spoolsIn, testSink } from '../support/spool.ts'

describe('what a dead process wrote down', () => {
  test('stays until whoever needs it has done with it, though every event is delivered', async () => {
    using folder = temporaryFolder()
    {
      await using first = spooling(folder.path, [testSink('test', () => DOWN)])
      first.delivery.note('hold', [1])
      first.add(3)
    }
    let release: (() => void) | undefined
    const sink = testSink()
    await using run = spooling(folder.path, [sink], { onAdopted: (spool) => void (release = spool.retain()) })
    await run.delivery.drainOrphans()
    expect(sink.taken).toHaveLength(3)
    expect(spoolsIn(folder.path)).toHaveLength(1)
    release!()
    release!()
    expect(spoolsIn(folder.path)).toEqual([])
  })

  test('is there for the next one where whoever needed it ends first, and no event is delivered twice', async () => {
    using folder = temporaryFolder()
    {
      await using first = spooling(folder.path, [testSink('test', () => DOWN)])
      first.delivery.note('hold', [1])
      first.add(3)
    }
    let late: (() => void) | undefined
    {
      await using second = spooling(folder.path, [testSink()], { onAdopted: (spool) => void (late = spool.retain()) })
      await second.delivery.drainOrphans()
    }
    // It is another's now.
    late!()
    const records: string[] = []
    const sink = testSink()
    await using third = spooling(folder.path, [sink], {
      onAdopted: (spool) => void records.push(...[...spool.records()].map(({ kind }) => kind)),
    })
    await third.delivery.drainOrphans()
    expect(records).toEqual(['hold', 'event', 'event', 'event'])
    expect(sink.taken).toEqual([])
    expect(spoolsIn(folder.path)).toEqual([])
  })
})

describe('a process that ends', () => {
  test.each([true, false])('leaves its spool where the rest of it is needed: %s', async (isNeeded) => {
    using folder = temporaryFolder()
    {
      await using run = spooling(folder.path, [testSink()], { isNeeded: () => isNeeded })
      run.delivery.note('hold', [1])
      run.add(3)
      await run.delivery.flush()
    }
    expect(spoolsIn(folder.path)).toHaveLength(isNeeded ? 1 : 0)
  })
})

describe('segments', () => {
  test('of notes alone are removed like those of events', async () => {
    using folder = temporaryFolder()
    await using run = spooling(folder.path, [testSink()], { maxSpoolBytes: 16 * 1024 })
    run.add(1)
    await run.delivery.flush()
    for (let note = 0; note < 2000; note++) run.delivery.note('hold', [note, 'x'.repeat(20)])
    expect(run.delivery.stats().spool).toMatchObject({ state: 'ok' })
    expect(run.delivery.stats().spool!.bytes).toBeLessThan(16 * 1024)
    expect(run.delivery.stats().dropped).toBe(0)
  })

  test('with an event that no sink has taken yet stay, whatever is noted after it', async () => {
    using folder = temporaryFolder()
    await using run = spooling(folder.path, [testSink('test', () => DOWN)], { maxSpoolBytes: 64 * 1024 })
    run.add(1)
    await run.delivery.flush()
    for (let note = 0; note < 1000; note++) run.delivery.note('hold', [note, 'x'.repeat(20)])
    expect(run.delivery.stats()).toMatchObject({ queued: 1, dropped: 0 })
    expect(segmentsOf(spoolsIn(folder.path)[0]!).length).toBeGreaterThan(1)
  })

  test('that begin with more than fits into one hold a fair share beside', async () => {
    using folder = temporaryFolder()
    const opening = () => Array.from({ length: 300 }, (_, n) => ['lease', { n, id: 'x'.repeat(30) }] as const)
    await using run = spooling(folder.path, [testSink('test', () => DOWN)], {
      opening,
      maxSpoolBytes: 16 * 1024 * 1024,
    })
    run.add(200)
    const segments = segmentsOf(spoolsIn(folder.path)[0]!).length
    expect(segments).toBeLessThan(10)
  })
})
