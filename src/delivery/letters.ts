// Dead letters read and sent again, while the processes that write them go on.

import { fromWire, type LLMEvent } from '../event.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import { appendLines, type DeadLetter } from './dead-letters.ts'
import { createDelivery } from './delivery.ts'
import { beat, claim, foldersIn, lastBeat, newFolder, release, remove, type SpoolFolder } from './spool/folder.ts'
import { SILENCE_MS } from './spool/orphans.ts'
import { FREE, judge } from './spool/owner.ts'

export type { DeadLetter }

const LETTERS = /\.jsonl$/

/** Where the letters below `dir` are: those that wait, and, in a folder that says by whom, those that are being sent. */
function rootOf(dir: string): string {
  return `${dir}/dead-letters`
}

function filesIn(folder: string): string[] {
  const { existsSync, readdirSync } = process.getBuiltinModule('node:fs')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => LETTERS.test(name))
    .sort()
    .map((name) => `${folder}/${name}`)
}

/** Those of every sink below `dir`, oldest first for each. */
export function* readDeadLetters(dir: string): Generator<DeadLetter> {
  const root = rootOf(dir)
  // Listed first: what is taken meanwhile is met in the folder of who took it.
  const waiting = filesIn(root)
  for (const file of [...foldersIn(root).flatMap(({ path }) => filesIn(path)), ...waiting])
    for (const { text, letter } of linesOf(bytesOf(file)))
      yield letter ?? { sink: sinkOf(file), reason: 'This line cannot be read.', at: '', event: { unreadable: text } }
}

/** None of a file that was there when it was listed, and has been sent since. */
function bytesOf(file: string): Buffer {
  return unlessGone(() => process.getBuiltinModule('node:fs').readFileSync(file)) ?? Buffer.alloc(0)
}

function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

interface Line {
  readonly text: string
  /** Absent where it is none, as of a process that died while it wrote. */
  readonly letter?: DeadLetter
  /** Absent where there is nothing in it that could be sent. */
  readonly event?: LLMEvent
}

function linesOf(bytes: Buffer): Line[] {
  const texts = bytes.toString('utf8').split('\n')
  return texts.filter((text) => text !== '').map(lineOf)
}

function lineOf(text: string): Line {
  try {
    const letter = JSON.parse(text) as DeadLetter
    const { event } = letter
    if (typeof event !== 'object' || event === null) return { text }
    const id = event['event_id']
    if (typeof id !== 'string' || id === '' || 'unreadable' in event) return { text, letter }
    return { text, letter, event: fromWire(event) }
  } catch {
    return { text }
  }
}

function sinkOf(file: string): string {
  return decodeURIComponent(file.replace(/^.*\//s, '').replace(LETTERS, ''))
}

export interface ResendOptions {
  readonly dir: string
  readonly sink: Sink
  readonly problems: ProblemReporter
}

export interface Resent {
  readonly delivered: number
  /** Letters that are still there. */
  readonly left: number
  /** So many of them cannot be read, or were none from the start: they are never sent. */
  readonly unreadable: number
  /** Letters that another process is sending. */
  readonly underway: number
}

/** What is refused again, or cannot be sent, is kept with its newest reason; what cannot be read, as it is. */
export async function resendDeadLetters({ dir, sink, problems }: ResendOptions): Promise<Resent> {
  const { basename } = process.getBuiltinModule('node:path')
  const { rmSync } = process.getBuiltinModule('node:fs')
  const root = rootOf(dir)
  const count = { delivered: 0, left: 0, unreadable: 0, underway: 0 }
  const { taken, left } = take(root)
  for (const file of left.flatMap(({ path }) => filesIn(path))) count.underway += linesOf(bytesOf(file)).length
  const beating = setInterval(() => taken.forEach(sayAlive), BEAT_MS)
  const seen = new Set<string>()
  try {
    for (const file of taken.flatMap(({ path }) => filesIn(path))) {
      const read = bytesOf(file)
      // Of a resend that was killed when it had put back what it kept: it is there twice.
      const lines = linesOf(read).filter((line) => isFirst(line, basename(file), seen))
      const events = lines.flatMap(({ event }) => event ?? [])
      const sent = await send(events, sink, problems)
      const kept = lines.flatMap((line) => keptOf(line, sent))
      // Of a process that had opened it before it was moved.
      const late = bytesOf(file).subarray(read.length)
      const end = kept.length > 0 && read.at(-1) === NEW_LINE ? '\n' : ''
      appendLines(`${root}/${basename(file)}`, kept.join('\n') + end + late.toString('utf8'))
      rmSync(file, { force: true })
      count.delivered += lines.length - kept.length
      count.left += kept.length + linesOf(late).length
      count.unreadable += lines.length - events.length
    }
  } finally {
    clearInterval(beating)
    for (const folder of taken) giveUp(root, folder)
  }
  await sink.close?.()
  return count
}

const BEAT_MS = 10_000

/**
 * Moves what waits into a folder of ours, so that a process that has another event refused meanwhile begins a new file,
 * and takes over the folders of resends that are dead: those are the older letters. `left` are those that go on.
 */
function take(root: string): { taken: SpoolFolder[]; left: SpoolFolder[] } {
  const { mkdirSync, renameSync } = process.getBuiltinModule('node:fs')
  const { basename } = process.getBuiltinModule('node:path')
  const found = foldersIn(root)
  const left = found.filter(isBeingSent)
  const taken = found.filter((folder) => !left.includes(folder)).flatMap((folder) => claim(root, folder) ?? [])
  const waiting = filesIn(root)
  if (waiting.length > 0) {
    const own = newFolder(root)
    mkdirSync(own.path, { mode: 0o700 })
    beat(own)
    taken.push(own)
    for (const file of waiting) unlessGone(() => renameSync(file, `${own.path}/${basename(file)}`))
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

function isFirst({ event }: Line, name: string, seen: Set<string>): boolean {
  if (event === undefined) return true
  const key = `${name} ${event.eventId}`
  return !seen.has(key) && Boolean(seen.add(key))
}

const NEW_LINE = 10

function keptOf({ text, letter, event }: Line, { taken, reasons }: Sent): string[] {
  if (letter === undefined || event === undefined) return [text]
  if (taken.has(event.eventId)) return []
  return [JSON.stringify({ ...letter, reason: reasons.get(event.eventId) ?? letter.reason })]
}

interface Sent {
  readonly taken: ReadonlySet<string>
  readonly reasons: ReadonlyMap<string, string>
}

/** By their ids: which events the sink has now, and why not the others, as far as they were tried. */
async function send(events: readonly LLMEvent[], sink: Sink, problems: ProblemReporter): Promise<Sent> {
  const taken = new Set<string>()
  const reasons = new Map<string, string>()
  const noting: Sink = {
    name: sink.name,
    async send(batch, signal) {
      const delivery = await sink.send(batch, signal)
      if (delivery.outcome !== 'delivered') return delivery
      for (const { eventId } of batch.events) taken.add(eventId)
      for (const { eventId } of delivery.rejected ?? []) taken.delete(eventId)
      return delivery
    },
  }
  const delivery = createDelivery({
    sinks: [noting],
    problems,
    maxQueueSize: Math.max(1, events.length),
    onFlushError(error, { events }) {
      for (const { eventId } of events) reasons.set(eventId, error.message)
    },
  })
  for (const event of events) delivery.add(event)
  await delivery.flush()
  await delivery.close(0)
  return { taken, reasons }
}
