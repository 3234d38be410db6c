// Dead letters read and sent again, while the processes that write them go on.

import { eventId, fromWire, type LLMEvent } from '../event.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import { appendLines, type DeadLetter } from './dead-letters.ts'
import { createDelivery } from './delivery.ts'
import { FREE, judge, ownerOf, ownerWord, ownIdentity } from './spool/owner.ts'

export type { DeadLetter }

const LETTERS = /\.jsonl$/
/** Taken by a resend, under a name that says by whom, and is in the way of no other. */
const CLAIMED = /\.jsonl(?:\.([0-9a-f-]+)\.[0-9a-f-]{36})?\.sending$/

function filesIn(folder: string, pattern: RegExp): string[] {
  const { existsSync, readdirSync } = process.getBuiltinModule('node:fs')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => `${folder}/${name}`)
}

/** Those of every sink below `dir`, oldest first for each. */
export function* readDeadLetters(dir: string): Generator<DeadLetter> {
  const folder = `${dir}/dead-letters`
  for (const file of [...filesIn(folder, CLAIMED), ...filesIn(folder, LETTERS)])
    for (const { text, letter } of linesOf(bytesOf(file)))
      yield letter ?? { sink: sinkOf(file), reason: 'This line cannot be read.', at: '', event: { unreadable: text } }
}

/** None of a file that was there when it was listed, and has been sent since. */
function bytesOf(file: string): Buffer {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
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

function homeOf(file: string): string {
  return file.replace(CLAIMED, '.jsonl')
}

function sinkOf(file: string): string {
  return decodeURIComponent(homeOf(file).replace(/^.*\//s, '').replace(LETTERS, ''))
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
  const folder = `${dir}/dead-letters`
  const count = { delivered: 0, left: 0, unreadable: 0, underway: 0 }
  const claimed = filesIn(folder, CLAIMED)
  const underway = claimed.filter(isBeingSent)
  for (const file of underway) count.underway += linesOf(bytesOf(file)).length
  const free = [...claimed.filter((file) => !underway.includes(file)), ...filesIn(folder, LETTERS)]
  for (const file of free.flatMap((each) => claim(each) ?? [])) {
    const read = bytesOf(file)
    const lines = linesOf(read)
    const events = lines.flatMap(({ event }) => event ?? [])
    const sent = await send(events, sink, problems)
    const kept = lines.flatMap((line) => keptOf(line, sent))
    // Of a process that had opened it before it was moved.
    const late = bytesOf(file).subarray(read.length)
    const end = kept.length > 0 && read.at(-1) === NEW_LINE ? '\n' : ''
    appendLines(homeOf(file), kept.join('\n') + end + late.toString('utf8'))
    process.getBuiltinModule('node:fs').rmSync(file, { force: true })
    count.delivered += lines.length - kept.length
    count.left += kept.length + linesOf(late).length
    count.unreadable += lines.length - events.length
  }
  await sink.close?.()
  return count
}

/** By a process that lives. One that cannot be asked, as in a container that is gone, is taken to be dead: a person asks. */
function isBeingSent(file: string): boolean {
  const owner = ownerOf(CLAIMED.exec(file)?.[1] ?? FREE)
  return owner !== FREE && owner !== undefined && judge(owner) === 'alive'
}

/**
 * Moves a file away, so that a process that has another event refused meanwhile begins a new one; `undefined` where
 * another process was first.
 */
function claim(file: string): string | undefined {
  const claimed = `${homeOf(file)}.${ownerWord(ownIdentity())}.${eventId(Date.now())}.sending`
  try {
    process.getBuiltinModule('node:fs').renameSync(file, claimed)
    return claimed
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
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
