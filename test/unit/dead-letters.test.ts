// Dead letters: none is lost, whatever was killed while they were written or sent again.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createDeadLetters } from '../../src/delivery/dead-letters.ts'
import { readDeadLetters } from '../../src/delivery/letters.ts'
import { resendDeadLetters } from '../../src/delivery/resend.ts'
import { type Owner, ownerWord, ownIdentity } from '../../src/delivery/spool/owner.ts'
import { eventId } from '../../src/event.ts'
import { createProblems } from '../../src/problems.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { DONE, eventOf, REFUSED, testSink } from '../support/spool.ts'

const letter = (id: string) =>
  `${JSON.stringify({ sink: 'http', reason: 'answered 422', at: '2026-11-22T09:00:00.000Z', event: { event_id: id } })}\n`

function lettersBelow(dir: string, files: Readonly<Record<string, string>>): string {
  const folder = join(dir, 'dead-letters')
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** As a resend leaves it that is killed. */
function leftBehind(folder: string, owner: Owner, text: string): string {
  const held = join(folder, `${eventId(Date.now())}.${ownerWord(owner)}`)
  mkdirSync(held)
  writeFileSync(join(held, 'http.jsonl'), text)
  return held
}

function resend(dir: string, sink = testSink('http'), patienceMs = 0) {
  const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
  return resendDeadLetters({ dir, sink, problems, patienceMs })
}

test('I sent my dead letters again, it was killed, and the next time sends the old ones as well as the new', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': letter('new') })
  leftBehind(folder, { ...ownIdentity(), pid: 2 ** 30 }, letter('old'))
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toEqual({ delivered: 2, left: 0, unreadable: 0, underway: 0, error: undefined })
  expect([sink.taken, readdirSync(folder)]).toEqual([['old', 'new'], []])
})

test('a letter that was half written is not thrown away when the others are sent again', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': `${letter('good')}{"sink":"http","ev` })
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toEqual({ delivered: 1, left: 1, unreadable: 1, underway: 0, error: undefined })
  expect(sink.taken).toEqual(['good'])
  expect(readFileSync(join(folder, 'http.jsonl'), 'utf8')).toBe('{"sink":"http","ev\n')
  expect([...readDeadLetters(dir.path)]).toMatchObject([
    { sink: 'http', reason: 'This line cannot be read.', event: { unreadable: '{"sink":"http","ev' } },
  ])
})

test('a letter that is written after a half-written one can be read', () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': '{"sink":"http","ev' })
  const teller = { tell: () => {}, clear: () => {} }
  createDeadLetters(folder, teller).keep('http', 'answered 422', [{ event: eventOf(1) }])
  expect([...readDeadLetters(dir.path)].map(({ event }) => event['event_id'])).toEqual([undefined, 'e1'])
})

test('an event that could not be read is never sent, and stays a letter as it was found', async () => {
  using dir = temporaryFolder()
  const found = `${JSON.stringify({ sink: 'http', reason: 'no JSON', at: '', event: { event_id: '', unreadable: '{' } })}\n`
  const nameless = `${JSON.stringify({ sink: 'http', reason: 'x', at: '', event: { model: 'gpt-4o' } })}\n`
  const folder = lettersBelow(dir.path, { 'http.jsonl': found + nameless + letter('good') })
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toEqual({ delivered: 1, left: 2, unreadable: 2, underway: 0, error: undefined })
  expect(sink.batches.flatMap(({ events }) => events.map(({ eventId }) => eventId))).toEqual(['good'])
  expect(readFileSync(join(folder, 'http.jsonl'), 'utf8')).toBe(found + nameless)
})

test('a letter that another process was just writing as mine were taken away is kept', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': letter('first') })
  const sink = testSink('http', () => {
    const [held] = readdirSync(folder)
    appendFileSync(join(folder, held!, 'http.jsonl'), letter('late'))
    return DONE
  })
  expect(await resend(dir.path, sink)).toEqual({ delivered: 1, left: 1, unreadable: 0, underway: 0, error: undefined })
  expect(readFileSync(join(folder, 'http.jsonl'), 'utf8')).toBe(letter('late'))
})

test('I ran --resend twice at once, and each event went out once', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': letter('first') + letter('second') })
  const second = testSink('http')
  const found: unknown[] = []
  const first = testSink('http', async () => {
    found.push(await resend(dir.path, second))
    return DONE
  })
  expect(await resend(dir.path, first)).toEqual({ delivered: 2, left: 0, unreadable: 0, underway: 0, error: undefined })
  expect(found).toEqual([{ delivered: 0, left: 0, unreadable: 0, underway: 2, error: undefined }])
  expect([first.taken, second.taken, readdirSync(folder)]).toEqual([['first', 'second'], [], []])
})

test('what is being sent where nobody can ask is left alone until its sender has been silent', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, {})
  const held = leftBehind(folder, { ...ownIdentity(), space: '7', boot: 'abc', host: 'def' }, letter('old'))
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toEqual({ delivered: 0, left: 0, unreadable: 0, underway: 1, error: undefined })
  expect([...readDeadLetters(dir.path)]).toMatchObject([{ event: { event_id: 'old' } }])
  const before = Date.now() / 1000 - 120
  utimesSync(held, before, before)
  expect(await resend(dir.path, sink)).toMatchObject({ delivered: 1, left: 0, underway: 0, error: undefined })
  expect([sink.taken, readdirSync(folder)]).toEqual([['old'], []])
})

test('my resend was killed when it had put back what was refused, and nothing is there twice after the next', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': letter('bad') })
  leftBehind(folder, { ...ownIdentity(), pid: 2 ** 30 }, letter('bad'))
  const sink = testSink('http', () => REFUSED)
  expect(await resend(dir.path, sink)).toMatchObject({ delivered: 0, left: 1 })
  expect([...readDeadLetters(dir.path)]).toHaveLength(1)
})

test('an estimate and what was reported of it later both arrive, the estimate first, though they have one id', async () => {
  using dir = temporaryFolder()
  const of = (usage_source: string) =>
    letter('job').replace('"event_id":"job"', `"event_id":"job","usage_source":"${usage_source}"`)
  lettersBelow(dir.path, { 'http.jsonl': of('reported') + of('estimated') + of('reported') })
  const came: unknown[] = []
  const sink = testSink('http', ({ events }) => {
    came.push(...events.map(({ usageSource }) => usageSource))
    return came.length === 1 ? DONE : REFUSED
  })
  expect(await resend(dir.path, sink)).toMatchObject({ delivered: 1, left: 1 })
  expect(came).toEqual(['estimated', 'reported'])
  expect([...readDeadLetters(dir.path)]).toMatchObject([{ event: { usage_source: 'reported' } }])
})

test('what my billing has refused is not given to the ledger and called delivered', async () => {
  using dir = temporaryFolder()
  lettersBelow(dir.path, { 'http.jsonl': letter('a'), 'stripe.jsonl': letter('b') })
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toMatchObject({ delivered: 1, left: 0 })
  expect(sink.taken).toEqual(['a'])
  expect([...readDeadLetters(dir.path)]).toMatchObject([{ event: { event_id: 'b' } }])
})

test('an endpoint that is down for a moment takes them when it is back; one that stays down changes no reason', async () => {
  using dir = temporaryFolder()
  lettersBelow(dir.path, { 'http.jsonl': letter('one') + letter('two') })
  const down = { outcome: 'retry', error: new Error('connect ECONNREFUSED') } as const
  const dead = testSink('http', () => down)
  expect(await resend(dir.path, dead)).toMatchObject({ delivered: 0, left: 2, error: { message: down.error.message } })
  expect([...readDeadLetters(dir.path)].map(({ reason }) => reason)).toEqual(['answered 422', 'answered 422'])
  let asked = 0
  const back = testSink('http', () => (++asked === 1 ? down : DONE))
  expect(await resend(dir.path, back, 60_000)).toMatchObject({ delivered: 2, left: 0, error: undefined })
})

test('a fault in the middle leaves the letters for the next resend', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': letter('one') })
  const broken = testSink('http', () => {
    mkdirSync(join(folder, 'http.jsonl'))
    return REFUSED
  })
  await expect(resend(dir.path, broken)).rejects.toMatchObject({ code: 'EISDIR' })
  rmdirSync(join(folder, 'http.jsonl'))
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toMatchObject({ delivered: 1, left: 0, underway: 0, error: undefined })
})

test('what is refused again has its newest reason', async () => {
  using dir = temporaryFolder()
  lettersBelow(dir.path, { 'http.jsonl': letter('bad') })
  expect(
    await resend(
      dir.path,
      testSink('http', () => REFUSED),
    ),
  ).toEqual({ delivered: 0, left: 1, unreadable: 0, underway: 0, error: undefined })
  expect([...readDeadLetters(dir.path)]).toMatchObject([{ reason: 'answered 400', event: { event_id: 'bad' } }])
})
