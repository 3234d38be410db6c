// Dead letters sent again, by one process at a time, while those that write them go on.

import type { LLMEvent } from '../event.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import { appendLines, fileOf } from './dead-letters.ts'
import { createDelivery } from './delivery.ts'
import { bytesOf, filesIn, type Line, linesOf, rootOf, unlessGone } from './letters.ts'
import { beat, claim, foldersIn, lastBeat, newFolder, release, remove, type SpoolFolder } from './spool/folder.ts'
import { SILENCE_MS } from './spool/orphans.ts'
import { FREE, judge } from './spool/owner.ts'

export interface ResendOptions {
  readonly dir: string
  /** Its name is the one whose letters are sent. */
  readonly sink: Sink
  readonly problems: ProblemReporter
  /** How long to try again where the sink does not take them. */
  readonly patienceMs: number
}

export interface Resent {
  readonly delivered: number
  /** Letters that are still there. */
  readonly left: number
  /** So many of them cannot be read, or were none from the start: they are never sent. */
  readonly unreadable: number
  /** Letters that another process is sending. */
  readonly underway: number
  /** What kept the sink from taking the rest, where it was no refusal. */
  readonly error: Error | undefined
}

/** What is refused again, or cannot be sent, is kept with its newest reason; what cannot be read, as it is. */
export async function resendDeadLetters({ dir, sink, problems, patienceMs }: ResendOptions): Promise<Resent> {
  const { existsSync, rmSync } = process.getBuiltinModule('node:fs')
  const root = rootOf(dir)
  const name = fileOf(sink.name)
  const count = { delivered: 0, left: 0, unreadable: 0, underway: 0 }
  let error: Error | undefined
  const { taken, left } = take(root, name)
  for (const { path } of left) count.underway += linesOf(bytesOf(`${path}/${name}`)).length
  const beating = setInterval(() => taken.forEach(sayAlive), BEAT_MS)
  const seen = new Set<string>()
  try {
    for (const file of taken.map(({ path }) => `${path}/${name}`).filter((path) => existsSync(path))) {
      const read = bytesOf(file)
      // Of a resend that was killed when it had put back what it kept: it is there twice.
      const lines = linesOf(read).filter(({ text, letter }) => {
        const key = letter ? JSON.stringify(letter.event) : text
        return !seen.has(key) && Boolean(seen.add(key))
      })
      const sent = new Map<Line, Sent>()
      for (const round of roundsOf(lines)) {
        const events = round.map(({ event }) => event!)
        const outcome = await send(events, sink, problems, patienceMs)
        error = outcome.error ?? error
        for (const line of round) sent.set(line, outcome)
      }
      const kept = lines.flatMap((line) => keptOf(line, sent.get(line)))
      // Of a process that had opened it before it was moved.
      const late = bytesOf(file).subarray(read.length)
      const end = kept.length > 0 && read.at(-1) === NEW_LINE ? '\n' : ''
      appendLines(`${root}/${name}`, kept.join('\n') + end + late.toString('utf8'))
      rmSync(file, { force: true })
      count.delivered += lines.length - kept.length
      count.left += kept.length + linesOf(late).length
      count.unreadable += lines.length - sent.size
    }
  } finally {
    clearInterval(beating)
    for (const folder of taken) giveUp(root, folder)
  }
  await sink.close?.()
  return { ...count, error }
}

/** Lines of one id, an estimate and what was reported later, go one after the other: what a sink says is of an id. */
function roundsOf(lines: readonly Line[]): Line[][] {
  const rounds: Line[][] = []
  const met = new Map<string, number>()
  const isReported = ({ event }: Line) => event?.usageSource === 'reported'
  for (const line of [...lines].sort((a, b) => Number(isReported(a)) - Number(isReported(b)))) {
    if (line.event === undefined) continue
    const round = met.get(line.event.eventId) ?? 0
    met.set(line.event.eventId, round + 1)
    ;(rounds[round] ??= []).push(line)
  }
  return rounds
}

const BEAT_MS = 10_000

/**
 * Moves what waits into a folder of ours, so that a process that has another event refused meanwhile begins a new file,
 * and takes over the folders of resends that are dead: those are the older letters. `left` are those that go on.
 */
function take(root: string, name: string): { taken: SpoolFolder[]; left: SpoolFolder[] } {
  const { existsSync, mkdirSync, renameSync } = process.getBuiltinModule('node:fs')
  const found = foldersIn(root).filter(({ path }) => existsSync(`${path}/${name}`))
  const left = found.filter(isBeingSent)
  const taken = found.filter((folder) => !left.includes(folder)).flatMap((folder) => claim(root, folder) ?? [])
  if (existsSync(`${root}/${name}`)) {
    const own = newFolder(root)
    mkdirSync(own.path, { mode: 0o700 })
    beat(own)
    taken.push(own)
    unlessGone(() => renameSync(`${root}/${name}`, `${own.path}/${name}`))
  }
  return { taken, left }
}

/** One that cannot be asked, as in another container, has not said for a while that it lives when it does not. */
function isBeingSent(folder: SpoolFolder): boolean {
  const verdict = folder.owner === FREE ? 'dead' : judge(folder.owner)
  return verdict === 'unsure' ? Date.now() - (lastBeat(folder) ?? 0) < SILENCE_MS : verdict === 'alive'
}

function sayAlive(folder: SpoolFolder): void {
  try {
    beat(folder)
  } catch {
    // A disk that takes nothing: what comes of the letters says so.
  }
}

/** What a fault has left in it is for the next resend. */
function giveUp(root: string, folder: SpoolFolder): void {
  if (filesIn(folder.path).length > 0) release(root, folder)
  else remove(folder)
}

const NEW_LINE = 10

function keptOf({ text, letter, event }: Line, sent: Sent | undefined): string[] {
  if (sent === undefined || event === undefined) return [text]
  if (sent.taken.has(event.eventId)) return []
  return [JSON.stringify({ ...letter, reason: sent.reasons.get(event.eventId) ?? letter!.reason })]
}

interface Sent {
  readonly taken: ReadonlySet<string>
  readonly reasons: ReadonlyMap<string, string>
  readonly error: Error | undefined
}

/** By their ids: which events the sink has now, and which it has refused again, and why. */
async function send(
  events: readonly LLMEvent[],
  sink: Sink,
  problems: ProblemReporter,
  patienceMs: number,
): Promise<Sent> {
  const taken = new Set<string>()
  const reasons = new Map<string, string>()
  let error: Error | undefined
  const noting: Sink = {
    name: sink.name,
    async send(batch, signal) {
      const delivery = await sink.send(batch, signal)
      if (delivery.outcome === 'delivered') {
        for (const { eventId } of batch.events) taken.add(eventId)
        for (const { eventId, reason } of delivery.rejected ?? []) {
          taken.delete(eventId)
          reasons.set(eventId, reason)
        }
      } else if (delivery.outcome === 'retry' || delivery.outcome === 'paused') error = delivery.error
      else if (batch.events.length === 1) reasons.set(batch.events[0]!.eventId, delivery.error.message)
      return delivery
    },
  }
  const delivery = createDelivery({
    sinks: [noting],
    problems,
    maxQueueSize: Math.max(1, events.length),
  })
  for (const event of events) delivery.add(event)
  await delivery.flush()
  await delivery.close(patienceMs)
  return { taken, reasons, error: taken.size + reasons.size < events.length ? error : undefined }
}
