// Deliveries with a spool, in one process or in several after each other.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DeliveryOptions } from '../../src/delivery/contract.ts'
import { createDelivery } from '../../src/delivery/delivery.ts'
import type { SpoolSettings } from '../../src/delivery/keeping.ts'
import type { LLMEvent } from '../../src/event.ts'
import { createProblems, type Problem } from '../../src/problems.ts'
import type { Batch, Delivery, Sink } from '../../src/sinks/sink.ts'

export function eventOf(number: number, more: Partial<LLMEvent> = {}): LLMEvent {
  return {
    eventId: `e${number}`,
    timestamp: '2026-11-22T09:00:00.000Z',
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'absent',
    ...more,
  }
}

export interface TestSink extends Sink {
  readonly batches: Batch[]
  /** The ids that were taken, in their order. */
  readonly taken: string[]
  /** What the next sends are answered with. */
  answer: (batch: Batch) => Delivery | Promise<Delivery>
}

export const DONE: Delivery = { outcome: 'delivered' }
export const DOWN: Delivery = { outcome: 'retry', error: new Error('503') }
export const REFUSED: Delivery = { outcome: 'rejected', error: new Error('answered 400') }

export function testSink(name = 'test', answer: TestSink['answer'] = () => DONE): TestSink {
  const sink: TestSink = {
    name,
    batches: [],
    taken: [],
    answer,
    async send(batch) {
      sink.batches.push(batch)
      const delivery = await sink.answer(batch)
      if (delivery.outcome === 'delivered') sink.taken.push(...batch.events.map(({ eventId }) => eventId))
      return delivery
    },
  }
  return sink
}

export function spooling(dir: string, sinks: readonly Sink[], options: Partial<DeliveryOptions & SpoolSettings> = {}) {
  const said: Problem[] = []
  const problems = createProblems({ onProblem: (problem) => said.push(problem), raiseOnError: false })
  const { durability, maxSpoolBytes, onSpoolFull, opening, ...rest } = options
  const spool = { dir, durability, maxSpoolBytes, onSpoolFull, opening }
  const delivery = createDelivery({ sinks, problems, random: () => 0, flushIntervalMs: 60_000, spool, ...rest })
  return {
    delivery,
    said,
    messages: () => said.map(({ message }) => message),
    add(count: number, from = 1, more: Partial<LLMEvent> = {}) {
      for (let number = from; number < from + count; number++) delivery.add(eventOf(number, more))
    },
    [Symbol.asyncDispose]: () => delivery.close(0),
  }
}

export const range = (count: number, from = 1) => Array.from({ length: count }, (_, at) => `e${at + from}`)

/** The folders of spools below `dir`. */
export function spoolsIn(dir: string): string[] {
  try {
    return readdirSync(join(dir, 'spool'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(dir, 'spool', name))
  } catch {
    return []
  }
}

export function segmentsOf(spool: string): string[] {
  return readdirSync(spool)
    .filter((name) => name.endsWith('.log'))
    .map((name) => join(spool, name))
}

/** The ids of the events that are on disk, in every spool below `dir`. */
export function idsOnDisk(dir: string): string[] {
  return spoolsIn(dir)
    .flatMap(segmentsOf)
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .flatMap((line) => /"event_id":"([^"]+)"/.exec(line)?.[1] ?? [])
}
