// Dead letters read and sent again, while the processes that write them go on.

import { fromWire, type LLMEvent } from '../event.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import type { DeadLetter } from './dead-letters.ts'
import { createDelivery } from './delivery.ts'

export type { DeadLetter }

const LETTERS = /\.jsonl$/
const CLAIMED = /\.jsonl\.sending$/

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
  for (const file of [...filesIn(folder, CLAIMED), ...filesIn(folder, LETTERS)]) yield* lettersIn(file)
}

function* lettersIn(file: string): Generator<DeadLetter> {
  for (const line of process.getBuiltinModule('node:fs').readFileSync(file, 'utf8').split('\n')) {
    const letter = letterOf(line)
    if (letter !== undefined) yield letter
  }
}

function letterOf(line: string): DeadLetter | undefined {
  try {
    const letter = JSON.parse(line) as DeadLetter
    return typeof letter.event === 'object' && letter.event !== null ? letter : undefined
  } catch {
    return undefined
  }
}

export interface ResendOptions {
  readonly dir: string
  readonly sink: Sink
  readonly problems: ProblemReporter
}

/** What is refused again, or cannot be sent, is kept with its newest reason. */
export async function resendDeadLetters({
  dir,
  sink,
  problems,
}: ResendOptions): Promise<{ delivered: number; left: number }> {
  const { appendFileSync, renameSync, rmSync } = process.getBuiltinModule('node:fs')
  const folder = `${dir}/dead-letters`
  let delivered = 0
  let left = 0
  // Moved away first: a process that has another event refused meanwhile begins a new file.
  const fresh = filesIn(folder, LETTERS).map((file) => {
    renameSync(file, `${file}.sending`)
    return `${file}.sending`
  })
  for (const file of new Set([...filesIn(folder, CLAIMED), ...fresh])) {
    const letters = [...lettersIn(file)]
    const events = letters.map(({ event }) => fromWire(event))
    const { taken, reasons } = await send(events, sink, problems)
    const kept = letters.flatMap((letter) => {
      const id = String(letter.event.event_id)
      return taken.has(id) ? [] : [`${JSON.stringify({ ...letter, reason: reasons.get(id) ?? letter.reason })}\n`]
    })
    if (kept.length > 0) appendFileSync(file.replace(/\.sending$/, ''), kept.join(''), { mode: 0o600 })
    rmSync(file)
    delivered += letters.length - kept.length
    left += kept.length
  }
  await sink.close?.()
  return { delivered, left }
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
