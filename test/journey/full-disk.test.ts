// A disk that is really full for a while, and free again.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Meter } from 'tallygate'
import { expect, test, vi } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'
import { type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { DONE, DOWN, idsOnDisk, range, spooling, testSink } from '../support/spool.ts'

const WHY_NOT = 'only root may mount a disk of its own'

interface Place extends Disposable {
  readonly disk: SmallDisk | undefined
}

function place(bytes: number): Place {
  const folder = temporaryFolder()
  const disk = smallDisk(folder.path, bytes)
  return {
    disk,
    [Symbol.dispose]() {
      disk?.[Symbol.dispose]()
      folder[Symbol.dispose]()
    },
  }
}

test('the spool goes on in memory, says so once, and writes what is in memory when there is room again', async ({
  skip,
}) => {
  using here = place(2 * 1024 * 1024)
  if (here.disk === undefined) return skip(WHY_NOT)
  const { disk } = here
  const sink = testSink('test', () => DOWN)
  await using run = spooling(disk.path, [sink], { maxQueueSize: 20_000 })
  run.add(100)
  disk.fill(16_384)
  let count = 100
  while (run.delivery.stats().spool?.state !== 'down') run.add(1, ++count)
  run.add(1000, count + 1)
  count += 1000
  expect(run.messages()).toEqual([
    expect.stringMatching(/^The spool below .* cannot grow, since the disk is full: events are kept in memory only/),
  ])
  disk.free()
  await vi.waitFor(() => {
    run.add(1, ++count)
    expect(run.delivery.stats().spool?.state).toBe('ok')
  }, PATIENT)
  expect(new Set(idsOnDisk(disk.path))).toEqual(new Set(range(count)))
  sink.answer = () => DONE
  await vi.waitFor(async () => {
    await run.delivery.flush()
    expect(run.delivery.stats().queued).toBe(0)
  }, PATIENT)
  expect([...sink.taken].sort()).toEqual(range(count).sort())
  expect(run.delivery.stats()).toMatchObject({ dropped: 0, delivered: count })
  expect(run.messages().filter((message) => message.startsWith('The spool'))).toHaveLength(1)
})

test('a meter with its ledger on it loses no call, and each of the two is told of once', async ({ skip }) => {
  using here = place(8 * 1024 * 1024)
  if (here.disk === undefined) return skip(WHY_NOT)
  const { disk } = here
  const messages: string[] = []
  const meter = new Meter({
    dir: disk.path,
    flushIntervalMs: 20,
    maxQueueSize: 100_000,
    onProblem: ({ message }) => messages.push(message),
  })
  let count = 0
  const record = (lot: number) => {
    for (const last = count + lot; count < last; count++)
      meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 10, responseId: `e${count}` })
  }
  record(1)
  await meter.flush()
  disk.fill(32_768)
  await vi.waitFor(async () => {
    record(20)
    await meter.flush()
    expect(meter.stats().delivery.spool?.state).toBe('down')
    expect(meter.stats().delivery.sinks['sqlite']?.state).not.toBe('ok')
  }, PATIENT)
  record(500)
  disk.free()
  await vi.waitFor(async () => {
    record(1)
    await meter.flush()
    expect(meter.stats().delivery).toMatchObject({ queued: 0, dropped: 0, spool: { state: 'ok' } })
  }, PATIENT)
  await meter.close()
  using ledger = new DatabaseSync(join(disk.path, 'ledger.db'), { readOnly: true })
  const [row] = ledger.prepare('SELECT count(*) AS calls, count(DISTINCT response_id) AS ids FROM events').all()
  expect(row).toEqual({ calls: count, ids: count })
  expect(messages.filter((message) => message.startsWith('The spool'))).toHaveLength(1)
  expect(messages.filter((message) => /ledger|sqlite/.test(message)).length).toBeLessThanOrEqual(2)
})
