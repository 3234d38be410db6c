// Dead letters: none is lost, whatever was killed while they were written or sent again.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createDeadLetters } from '../../src/delivery/dead-letters.ts'
import { readDeadLetters, resendDeadLetters } from '../../src/delivery/letters.ts'
import { ownerWord, ownIdentity } from '../../src/delivery/spool/owner.ts'
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

function resend(dir: string, sink = testSink('http')) {
  return resendDeadLetters({ dir, sink, problems: createProblems({ onProblem: () => {}, raiseOnError: false }) })
}

test('I sent my dead letters again, it was killed, and the next time sends the old ones as well as the new', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl.sending': letter('old'), 'http.jsonl': letter('new') })
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toEqual({ delivered: 2, left: 0, unreadable: 0, underway: 0 })
  expect([sink.taken, readdirSync(folder)]).toEqual([['old', 'new'], []])
})

test('a letter that was half written is not thrown away when the others are sent again', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': `${letter('good')}{"sink":"http","ev` })
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toEqual({ delivered: 1, left: 1, unreadable: 1, underway: 0 })
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
  expect(await resend(dir.path, sink)).toEqual({ delivered: 1, left: 2, unreadable: 2, underway: 0 })
  expect(sink.batches.flatMap(({ events }) => events.map(({ eventId }) => eventId))).toEqual(['good'])
  expect(readFileSync(join(folder, 'http.jsonl'), 'utf8')).toBe(found + nameless)
})

test('a letter that another process was just writing as mine were taken away is kept', async () => {
  using dir = temporaryFolder()
  const folder = lettersBelow(dir.path, { 'http.jsonl': letter('first') })
  const sink = testSink('http', () => {
    const [claimed] = readdirSync(folder)
    appendFileSync(join(folder, claimed!), letter('late'))
    return DONE
  })
  expect(await resend(dir.path, sink)).toEqual({ delivered: 1, left: 1, unreadable: 0, underway: 0 })
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
  expect(await resend(dir.path, first)).toEqual({ delivered: 2, left: 0, unreadable: 0, underway: 0 })
  expect(found).toEqual([{ delivered: 0, left: 0, unreadable: 0, underway: 2 }])
  expect([first.taken, second.taken, readdirSync(folder)]).toEqual([['first', 'second'], [], []])
})

test('what a process was sending that was killed is sent by the next one', async () => {
  using dir = temporaryFolder()
  const killed = ownerWord({ ...ownIdentity(), pid: 2 ** 30 })
  const file = `http.jsonl.${killed}.${eventId(Date.now())}.sending`
  const folder = lettersBelow(dir.path, { [file]: letter('old') })
  const sink = testSink('http')
  expect(await resend(dir.path, sink)).toMatchObject({ delivered: 1, left: 0, underway: 0 })
  expect([sink.taken, readdirSync(folder)]).toEqual([['old'], []])
})

test('what is refused again has its newest reason', async () => {
  using dir = temporaryFolder()
  lettersBelow(dir.path, { 'http.jsonl': letter('bad') })
  expect(
    await resend(
      dir.path,
      testSink('http', () => REFUSED),
    ),
  ).toEqual({ delivered: 0, left: 1, unreadable: 0, underway: 0 })
  expect([...readDeadLetters(dir.path)]).toMatchObject([{ reason: 'answered 400', event: { event_id: 'bad' } }])
})
