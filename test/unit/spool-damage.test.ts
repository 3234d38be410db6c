// A spool with a byte that is wrong: what can still be read of it is delivered.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { DONE, DOWN, range, segmentsOf, spooling, spoolsIn, testSink } from '../support/spool.ts'

/** The spool of a process that died with so many events in it. */
async function leftBehind(dir: string, count: number, names = ['test'], options = {}): Promise<string> {
  const run = spooling(
    dir,
    names.map((name) => testSink(name, () => DOWN)),
    options,
  )
  run.add(count)
  await run.delivery.flush()
  await run.delivery.close(0)
  return spoolsIn(dir)[0]!
}

function flip(file: string, at: number, to: string): void {
  const bytes = readFileSync(file)
  bytes.write(to, at)
  writeFileSync(file, bytes)
}

async function adopting(dir: string, names = ['test']) {
  const sinks = names.map((name) => testSink(name))
  const run = spooling(dir, sinks)
  await run.delivery.drainOrphans()
  return { ...run, sinks }
}

test.each([
  ['its first word', 3, '#'],
  ['the brackets of what it says', 18, '#'],
  ['its line break, which takes the first record with it', 'end', '#'],
  ['a line break where none was', 24, '\n'],
] as const)('one wrong byte in the header, %s, strands no event behind it', async (what, at, to) => {
  using dir = temporaryFolder()
  const spool = await leftBehind(dir.path, 20)
  const [segment] = segmentsOf(spool)
  flip(segment!, at === 'end' ? readFileSync(segment!).indexOf('\n') : at, to)
  const { sinks, delivery, messages } = await adopting(dir.path)
  const first = what.startsWith('its line break') ? 2 : 1
  expect(sinks[0]!.taken).toEqual(range(21 - first, first))
  expect(messages()[0]).toMatch(/^A record in .+ could not be read \(it is no header\); it is set aside in .+\.jsonl$/)
  expect(spoolsIn(dir.path)).toEqual([])
  await delivery.close()
})

test('a segment whose header is damaged is owed to whom the other segments name', async () => {
  using dir = temporaryFolder()
  const spool = await leftBehind(dir.path, 200, ['a', 'b'], { maxSpoolBytes: 65_536, onSpoolFull: 'block' })
  const segments = segmentsOf(spool).sort()
  expect(segments.length).toBeGreaterThan(1)
  flip(segments[0]!, 0, '#')
  const only = await adopting(dir.path, ['a'])
  expect(only.messages()).toEqual([expect.stringContaining('holds events of an earlier process for b')])
  await only.delivery.close()
  const { sinks, delivery } = await adopting(dir.path, ['a', 'b'])
  for (const { taken } of sinks) expect(taken).toEqual(range(200))
  await delivery.close()
})

test('a spool without a header that can be read waits for the sinks that have a cursor in it', async () => {
  using dir = temporaryFolder()
  const spool = await leftBehind(dir.path, 20)
  flip(segmentsOf(spool)[0]!, 0, '#')
  writeFileSync(join(spool, `cursor-${encodeURIComponent('my sink')}.json`), '{"segment":0,"offset":0}')
  const { messages, delivery } = await adopting(dir.path)
  expect(messages()).toEqual([expect.stringContaining('holds events of an earlier process for my sink')])
  await delivery.close()
})

test.each([
  ['a segment that is not there', { segment: 77, offset: 0 }],
  ['a place behind the end', { segment: 1, offset: 1e12 }],
  ['a place before the beginning', { segment: 1, offset: -1 }],
])('a cursor at %s drops nothing: everything is sent again', async (_, place) => {
  using dir = temporaryFolder()
  const spool = await leftBehind(dir.path, 20)
  writeFileSync(join(spool, 'cursor-test.json'), JSON.stringify(place))
  const { sinks, delivery } = await adopting(dir.path)
  expect(sinks[0]!.taken).toEqual(range(20))
  await delivery.close()
})

test('a cursor at the very end is where it should be: nothing is sent twice', async () => {
  using dir = temporaryFolder()
  const up = testSink('up', () => DONE)
  const run = spooling(dir.path, [up, testSink('down', () => DOWN)])
  run.add(20)
  await run.delivery.flush()
  await run.delivery.close(0)
  const spool = spoolsIn(dir.path)[0]!
  expect(readdirSync(spool)).toContain('cursor-up.json')
  const { sinks, delivery } = await adopting(dir.path, ['up', 'down'])
  expect(sinks.map(({ taken }) => taken.length)).toEqual([0, 20])
  await delivery.close()
})
