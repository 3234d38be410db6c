import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDelivery, type DeliveryOptions } from '../../src/delivery/delivery.ts'
import { createFifo } from '../../src/delivery/fifo.ts'
import type { FlushFailure } from '../../src/delivery/teller.ts'
import { MeterError } from '../../src/errors.ts'
import type { LLMEvent } from '../../src/event.ts'
import { createProblems, type Problem } from '../../src/problems.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import type { Batch, Delivery, Sink } from '../../src/sinks/sink.ts'
import { currentPayer, resumeAs } from '../../src/tenant.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const DONE: Delivery = { outcome: 'delivered' }
const down = (afterMs?: number): Delivery => ({
  outcome: 'retry',
  error: new Error('503'),
  ...(afterMs === undefined ? {} : { afterMs }),
})
const refused: Delivery = { outcome: 'rejected', error: new MeterError('DELIVERY_REJECTED', 'answered 400') }
const tooLarge: Delivery = { outcome: 'too-large', error: new MeterError('DELIVERY_REJECTED', 'answered 413') }
const paused: Delivery = { outcome: 'paused', error: new MeterError('DELIVERY_REJECTED', 'answered 401') }

function event(number: number): LLMEvent {
  return {
    eventId: `e${number}`,
    timestamp: '2026-11-22T09:00:00.000Z',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'absent',
  }
}

/** A promise of a delivery that the test resolves. */
function gated() {
  let resolve!: (delivery: Delivery) => void
  const promise = new Promise<Delivery>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

// Real ones: between two batches a queue lets the event loop turn, which fake timers do not hold up.
const immediate = setImmediate
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => immediate(resolve))
}

type Answer = Delivery | Promise<Delivery> | ((batch: Batch, signal: AbortSignal) => Delivery | Promise<Delivery>)

/** A sink that gives the scripted answers one after the other, and the last of them from then on. */
function scripted(name: string, ...answers: Answer[]) {
  const sent: Batch[] = []
  const taken: string[] = []
  const sink: Sink = {
    name,
    async send(batch, signal) {
      sent.push(batch)
      const answer = answers.length > 1 ? answers.shift()! : (answers[0] ?? DONE)
      const delivery = await (typeof answer === 'function' ? answer(batch, signal) : answer)
      if (delivery.outcome === 'delivered') taken.push(...ids(batch))
      return delivery
    },
  }
  return { sink, sent, taken }
}

const ids = (batch: Batch) => batch.events.map(({ eventId }) => eventId)

function start(sinks: Sink[], options: Partial<DeliveryOptions> = {}) {
  const said: Problem[] = []
  const failures: { error: Error; failure: FlushFailure }[] = []
  const problems = createProblems({ onProblem: (problem) => said.push(problem), raiseOnError: false })
  const delivery = createDelivery({
    sinks,
    problems,
    random: () => 1,
    onFlushError: (error, failure) => failures.push({ error, failure }),
    ...options,
  })
  const add = (count: number, from = 1) => {
    for (let i = 0; i < count; i++) delivery.add(event(from + i))
  }
  const end = async () => {
    const closed = delivery.close(0)
    await vi.advanceTimersByTimeAsync(0)
    await closed
  }
  return { delivery, said, failures, add, [Symbol.asyncDispose]: end }
}

const messages = (said: Problem[]) => said.map(({ message }) => message)

describe('batches', () => {
  test('nothing is started before the first event', async () => {
    const listeners = () => [process.listenerCount('beforeExit'), process.listenerCount('exit')]
    const before = listeners()
    await using lane = start([memorySink()])
    expect(vi.getTimerCount()).toBe(0)
    expect(listeners()).toEqual(before)
    lane.add(1)
    expect(vi.getTimerCount()).toBe(1)
    expect(listeners()).toEqual(before.map((count) => count + 1))
    await lane.delivery.close()
    expect(listeners()).toEqual(before)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('an event waits for others for at most the flush interval', async () => {
    const sink = memorySink()
    await using lane = start([sink], { flushIntervalMs: 5000 })
    lane.add(1)
    await vi.advanceTimersByTimeAsync(4000)
    lane.add(1, 2)
    await vi.advanceTimersByTimeAsync(999)
    expect(sink.batches).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(sink.batches.map(ids)).toEqual([['e1', 'e2']])
    lane.add(1, 3)
    await vi.advanceTimersByTimeAsync(5000)
    expect(sink.batches.map(ids)).toEqual([['e1', 'e2'], ['e3']])
  })

  test('a full batch leaves at once, but not on the time of whoever records', async () => {
    const sink = memorySink()
    await using lane = start([sink], { maxBatchSize: 3 })
    lane.add(8)
    expect(sink.batches).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    await turns()
    expect(sink.batches.map(ids)).toEqual([
      ['e1', 'e2', 'e3'],
      ['e4', 'e5', 'e6'],
    ])
    expect(lane.delivery.stats().queued).toBe(2)
    await lane.delivery.flush()
    expect(ids(sink.batches[2]!)).toEqual(['e7', 'e8'])
  })

  test('a batch is frozen, with an id of its own', async () => {
    const sink = memorySink()
    await using lane = start([sink], { maxBatchSize: 2 })
    lane.add(4)
    await lane.delivery.flush()
    const [first, second] = sink.batches
    expect(first!.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(first!.id).not.toBe(second!.id)
    expect(Object.isFrozen(first) && Object.isFrozen(first!.events)).toBe(true)
  })

  test('no timer of ours knows the tenant whose call happened to start it', async () => {
    let payer: unknown = 'nobody asked'
    const { sink } = scripted('s', () => {
      payer = currentPayer().tenantId
      return DONE
    })
    await using lane = start([sink])
    resumeAs({ tenantId: 'acme', attribution: {} }, () => lane.add(1))
    await vi.advanceTimersByTimeAsync(5000)
    expect(payer).toBeUndefined()
  })
})

describe('flush', () => {
  test('resolves at once when nothing is queued, and without sinks', async () => {
    await using lane = start([memorySink()])
    await lane.delivery.flush()
    await using none = start([])
    none.add(1)
    await none.delivery.flush()
    expect(none.delivery.stats()).toEqual({ queued: 0, delivered: 0, dropped: 0, rejected: 0, retries: 0, sinks: {} })
  })

  test('delivers what is queued at the call; later events wait for their own time', async () => {
    const gate = gated()
    const one = scripted('one', gate.promise, DONE)
    await using lane = start([one.sink])
    lane.add(2)
    const flushed = lane.delivery.flush()
    lane.add(1, 3)
    gate.resolve(DONE)
    await flushed
    expect(one.taken).toEqual(['e1', 'e2'])
    expect(lane.delivery.stats().queued).toBe(1)
  })

  test('at once with another shares the batch in flight and never doubles an event', async () => {
    const gate = gated()
    const one = scripted('one', gate.promise, DONE)
    await using lane = start([one.sink])
    lane.add(2)
    const first = lane.delivery.flush()
    lane.add(1, 3)
    const second = lane.delivery.flush()
    const third = lane.delivery.flush()
    gate.resolve(DONE)
    await Promise.all([first, second, third])
    expect(one.sent.map(ids)).toEqual([['e1', 'e2'], ['e3']])
  })

  test('resolves when the attempt failed, the events being kept', async () => {
    const one = scripted('one', down(), DONE)
    await using lane = start([one.sink])
    lane.add(2)
    await lane.delivery.flush()
    expect(lane.delivery.stats()).toMatchObject({
      queued: 2,
      delivered: 0,
      retries: 1,
      sinks: { one: { state: 'retrying' } },
    })
    await lane.delivery.flush()
    expect(lane.delivery.stats()).toMatchObject({
      queued: 0,
      delivered: 2,
      retries: 1,
      sinks: { one: { state: 'ok' } },
    })
  })

  test('does not hurry a sink that asked for patience', async () => {
    const one = scripted('one', down(30_000), DONE)
    await using lane = start([one.sink])
    lane.add(1)
    await lane.delivery.flush()
    await lane.delivery.flush()
    expect(one.sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(29_999)
    expect(one.sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(501)
    expect(one.taken).toEqual(['e1'])
  })
})

describe('a send that fails', () => {
  test('is repeated with the same id and the same events, after waits that double', async () => {
    const one = scripted('one', down(), down(), down(), DONE)
    await using lane = start([one.sink])
    lane.add(2)
    await lane.delivery.flush()
    for (const [ms, sends] of [
      [499, 1],
      [1, 2],
      [999, 2],
      [1, 3],
      [1999, 3],
      [1, 4],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms)
      expect(one.sent).toHaveLength(sends)
    }
    expect(new Set(one.sent).size).toBe(1)
    expect(one.taken).toEqual(['e1', 'e2'])
    expect(lane.failures.map(({ failure }) => [failure.outcome, failure.kept, failure.events.length])).toEqual(
      Array(3).fill(['retry', true, 2]),
    )
  })

  test('is said to be a problem at the third time in a row, once, and again after a recovery', async () => {
    const one = scripted('one', ...Array(5).fill(down()), DONE, ...Array(3).fill(down()), DONE)
    await using lane = start([one.sink])
    const outage = async () => {
      lane.add(1)
      await lane.delivery.flush()
      await vi.advanceTimersByTimeAsync(120_000)
    }
    await outage()
    expect(messages(lane.said)).toEqual(['Delivery to one keeps failing, its events are kept and tried again: 503'])
    await outage()
    expect(lane.said).toHaveLength(2)
  })

  test('counts as failed when the sink throws, rejects with no error, or answers nonsense', async () => {
    const nonsense = [
      () => Promise.reject(new Error('boom')),
      () => Promise.reject('a string'),
      () => {
        throw new Error('thrown')
      },
      undefined as unknown as Delivery,
      { outcome: 'fine' } as unknown as Delivery,
      { outcome: 'retry' } as unknown as Delivery,
    ]
    const one = scripted(
      'one',
      ...nonsense.map((answer) => () => (typeof answer === 'function' ? answer() : answer)),
      DONE,
    )
    await using lane = start([one.sink])
    lane.add(1)
    for (const _ of nonsense) await lane.delivery.flush()
    expect(lane.delivery.stats()).toMatchObject({ queued: 1, retries: nonsense.length })
    expect(lane.failures.every(({ error }) => error instanceof Error)).toBe(true)
    await lane.delivery.flush()
    expect(one.taken).toEqual(['e1'])
  })

  test('is broken off after its time, whether or not the sink heeds the signal', async () => {
    let heard = false
    const one = scripted(
      'one',
      (_, signal) => {
        signal.addEventListener('abort', () => (heard = true))
        return new Promise<Delivery>(() => {})
      },
      DONE,
    )
    await using lane = start([one.sink], { sendTimeoutMs: 1000 })
    lane.add(1)
    const flushed = lane.delivery.flush()
    await vi.advanceTimersByTimeAsync(1000)
    await flushed
    expect(heard).toBe(true)
    expect(lane.failures[0]!.error.message).toBe('one took longer than 1000 ms')
    await lane.delivery.flush()
    expect(one.taken).toEqual(['e1'])
  })

  test('harms nobody when onFlushError throws or rejects', async () => {
    for (const onFlushError of [
      () => {
        throw new Error('mine')
      },
      () => Promise.reject(new Error('mine')) as unknown as undefined,
    ]) {
      const one = scripted('one', down(), DONE)
      await using lane = start([one.sink], { onFlushError })
      lane.add(1)
      await lane.delivery.flush()
      await lane.delivery.flush()
      expect(one.taken).toEqual(['e1'])
      expect(messages(lane.said)).toEqual(['`onFlushError` threw an error'])
    }
  })
})

describe('a batch that is not taken whole', () => {
  test('is halved while it is too large', async () => {
    const one = scripted('one', (batch) => (batch.events.length > 2 ? tooLarge : DONE))
    await using lane = start([one.sink])
    lane.add(7)
    await lane.delivery.flush()
    expect(one.taken).toEqual(['e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7'])
    expect(new Set(one.sent.map(({ id }) => id)).size).toBe(one.sent.length)
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, delivered: 7, rejected: 0 })
  })

  test('gives up the one event that is too large alone', async () => {
    const one = scripted('one', (batch) => (ids(batch).includes('e2') ? tooLarge : DONE))
    await using lane = start([one.sink])
    lane.add(4)
    await lane.delivery.flush()
    expect(one.taken).toEqual(['e1', 'e3', 'e4'])
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, delivered: 3, rejected: 1 })
    expect(messages(lane.said)).toEqual(['one refused event e2 for good: answered 413'])
  })

  test('is searched for the poison events; the others are delivered, each once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.integer({ min: 1, max: 60 })),
        async (count, numbers) => {
          const poison = new Set(numbers.map((number) => `e${number}`))
          const one = scripted('one', (batch) => (ids(batch).some((id) => poison.has(id)) ? refused : DONE))
          await using lane = start([one.sink], { maxBatchSize: 20 })
          lane.add(count)
          await lane.delivery.flush()
          const all = Array.from({ length: count }, (_, i) => `e${i + 1}`)
          expect(one.taken).toEqual(all.filter((id) => !poison.has(id)))
          const givenUp = lane.failures.filter(({ failure }) => !failure.kept).flatMap(({ failure }) => failure.events)
          expect(givenUp.map(({ eventId }) => eventId)).toEqual(all.filter((id) => poison.has(id)))
          const { queued, delivered, rejected } = lane.delivery.stats()
          expect([queued, delivered, rejected]).toEqual([0, one.taken.length, givenUp.length])
        },
      ),
      { numRuns: 60 },
    )
  })

  test('counts and reports what the sink refused of it', async () => {
    const rejected = [
      { eventId: 'e2', reason: 'no such tenant' },
      { eventId: 'not-ours', reason: '?' },
    ]
    const one = scripted('one', { outcome: 'delivered', rejected })
    await using lane = start([one.sink])
    lane.add(3)
    await lane.delivery.flush()
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, delivered: 2, rejected: 1 })
    expect(messages(lane.said)).toEqual(['one refused event e2 for good: no such tenant'])
    expect(lane.failures).toMatchObject([{ failure: { sink: 'one', outcome: 'rejected', kept: false } }])
    expect(lane.failures[0]!.error).toBeInstanceOf(MeterError)
  })
})

describe('a sink that pauses', () => {
  test('keeps everything, is said once, is asked again every minute and on flush', async () => {
    const one = scripted('one', paused, paused, paused, DONE)
    await using lane = start([one.sink])
    lane.add(2)
    await lane.delivery.flush()
    expect(lane.delivery.stats().sinks.one).toMatchObject({ queued: 2, state: 'paused' })
    await vi.advanceTimersByTimeAsync(59_999)
    expect(one.sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(one.sent).toHaveLength(2)
    await lane.delivery.flush()
    expect(one.sent).toHaveLength(3)
    expect(messages(lane.said)).toEqual(['Delivery to one is paused, its events are kept: answered 401'])
    await lane.delivery.flush()
    expect(one.taken).toEqual(['e1', 'e2'])
    expect(lane.delivery.stats().sinks.one!.state).toBe('ok')
  })
})

describe('several sinks', () => {
  test('a dead one stops no other, and its queue stays bounded', async () => {
    const dead = scripted('dead', () => new Promise<Delivery>(() => {}))
    const alive = memorySink()
    await using lane = start([dead.sink, alive], { maxBatchSize: 10, maxQueueSize: 100 })
    for (let round = 0; round < 50; round++) {
      lane.add(10, round * 10 + 1)
      await vi.advanceTimersByTimeAsync(2)
      await turns()
      expect(alive.events).toHaveLength((round + 1) * 10)
    }
    const { sinks } = lane.delivery.stats()
    // 100 in the queue, and the batch that is under way.
    expect(sinks.dead).toMatchObject({ queued: 110, delivered: 0, dropped: 390 })
    expect(sinks.memory).toMatchObject({ queued: 0, delivered: 500, dropped: 0 })
  })

  test('of one name are told apart', async () => {
    await using lane = start([memorySink(), memorySink(), memorySink()])
    lane.add(1)
    await lane.delivery.flush()
    expect(Object.keys(lane.delivery.stats().sinks)).toEqual(['memory', 'memory#2', 'memory#3'])
    expect(lane.delivery.stats().delivered).toBe(3)
  })
})

describe('a full queue', () => {
  test('gives up the oldest, counts them, and says so once until there was room', async () => {
    const one = scripted('one', down(600_000), DONE)
    await using lane = start([one.sink], { maxBatchSize: 2, maxQueueSize: 4 })
    lane.add(2)
    await lane.delivery.flush()
    lane.add(7, 3)
    expect(lane.delivery.stats()).toMatchObject({ queued: 6, dropped: 3 })
    expect(messages(lane.said)).toEqual(['The queue for one is full (4 events): the oldest events are being dropped'])
    await vi.advanceTimersByTimeAsync(301_000)
    await lane.delivery.flush()
    expect(one.taken).toEqual(['e1', 'e2', 'e6', 'e7', 'e8', 'e9'])
    lane.add(9, 10)
    expect(lane.said).toHaveLength(2)
  })

  test('is never exceeded by a batch larger than the queue', async () => {
    const sink = memorySink()
    await using lane = start([sink], { maxBatchSize: 50, maxQueueSize: 3 })
    lane.add(5)
    await lane.delivery.flush()
    expect(sink.batches.map(ids)).toEqual([['e3', 'e4', 'e5']])
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, delivered: 3, dropped: 2 })
  })
})

test('every event is queued, delivered, dropped or refused, whatever the sink answers', async () => {
  const answers = fc.constantFrom<Delivery>(DONE, DONE, DONE, down(), down(5000), tooLarge, refused, paused)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 8000 }), fc.boolean()), {
        maxLength: 12,
      }),
      fc.array(answers, { maxLength: 30 }),
      async (steps, outcomes) => {
        const one = scripted('one', ...outcomes, DONE)
        await using lane = start([one.sink], { maxBatchSize: 5, maxQueueSize: 12 })
        let added = 0
        const check = () => {
          const { queued, delivered, dropped, rejected } = lane.delivery.stats()
          expect(queued + delivered + dropped + rejected).toBe(added)
          expect(queued).toBeLessThanOrEqual(17)
          expect(one.taken.length).toBe(delivered)
        }
        for (const [count, ms, flush] of steps) {
          lane.add(count, added + 1)
          added += count
          check()
          if (flush) await lane.delivery.flush()
          await vi.advanceTimersByTimeAsync(ms)
          check()
        }
        // One attempt a minute when paused: enough for all thirty answers.
        for (let minute = 0; minute < 40; minute++) {
          await vi.advanceTimersByTimeAsync(61_000)
          await turns()
        }
        expect(lane.delivery.stats().queued).toBe(0)
        check()
        const numbers = one.taken.map((id) => Number(id.slice(1)))
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
      },
    ),
    { numRuns: 60 },
  )
})

describe('close', () => {
  test('delivers what is left, closes the sinks, and is one with a second call', async () => {
    const sink = memorySink()
    let closed = 0
    const lane = start([{ ...sink, close: async () => void closed++ }])
    lane.add(3)
    const first = lane.delivery.close()
    expect(lane.delivery.close()).toBe(first)
    await first
    expect(sink.events).toHaveLength(3)
    expect(closed).toBe(1)
    await lane.delivery.flush()
    expect(closed).toBe(1)
  })

  test('tries again within its deadline', async () => {
    const one = scripted('one', down(), down(), DONE)
    const lane = start([one.sink])
    lane.add(1)
    const closed = lane.delivery.close(5000)
    await vi.advanceTimersByTimeAsync(1500)
    await closed
    expect(one.taken).toEqual(['e1'])
  })

  test('takes events that are recorded while it drains', async () => {
    const gate = gated()
    const one = scripted('one', gate.promise, DONE)
    const lane = start([one.sink])
    lane.add(1)
    const closed = lane.delivery.close(5000)
    lane.add(1, 2)
    gate.resolve(DONE)
    await closed
    expect(one.taken).toEqual(['e1', 'e2'])
  })

  test('gives up at its deadline, breaks off what is in flight, and says what is left', async () => {
    let signal: AbortSignal | undefined
    const one = scripted('one', (_, theirs) => {
      signal = theirs
      return new Promise<Delivery>(() => {})
    })
    const lane = start([one.sink])
    lane.add(3)
    const closed = lane.delivery.close(2000)
    await vi.advanceTimersByTimeAsync(2000)
    await closed
    expect(signal!.aborted).toBe(true)
    expect(lane.delivery.stats()).toMatchObject({ queued: 3, delivered: 0 })
    expect(messages(lane.said)).toEqual(['3 events were not delivered to one before the end'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([
    ['paused', paused],
    ['asked for more patience than there is time', down(60_000)],
  ])('does not wait for a sink that is %s', async (_, answer) => {
    const one = scripted('one', answer)
    const lane = start([one.sink])
    lane.add(1)
    await lane.delivery.close(50_000)
    expect(one.sent).toHaveLength(1)
    expect(lane.delivery.stats().queued).toBe(1)
  })

  test('within a Retry-After asks once more, and leaves what that brings nothing of', async () => {
    const one = scripted('one', down(60_000))
    const lane = start([one.sink])
    lane.add(1)
    await lane.delivery.flush()
    await lane.delivery.flush()
    expect(one.sent).toHaveLength(1)
    await lane.delivery.close()
    expect(one.sent).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(400_000)
    expect([one.sent.length, lane.delivery.stats().queued]).toEqual([2, 1])
  })

  test('a Retry-After of an hour is waited for no longer than five minutes', async () => {
    const one = scripted('one', down(3_600_000), DONE)
    await using lane = start([one.sink], { random: () => 0 })
    lane.add(1)
    await lane.delivery.flush()
    await vi.advanceTimersByTimeAsync(299_999)
    expect(one.sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(one.sent).toHaveLength(2)
  })

  test('hands what is left to a sink that takes it without waiting', async () => {
    const sync: string[] = []
    const sink: Sink = {
      name: 's',
      send: async () => paused,
      sendSync: (batch) => {
        sync.push(...ids(batch))
        return DONE
      },
    }
    const lane = start([sink])
    lane.add(2)
    await lane.delivery.close(100)
    expect(sync).toEqual(['e1', 'e2'])
    expect(lane.said.filter(({ message }) => message.includes('not delivered'))).toEqual([])
  })

  test('counts an event that comes after it, and says so once', async () => {
    const lane = start([memorySink()])
    await lane.delivery.close()
    lane.add(2)
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, dropped: 2 })
    expect(messages(lane.said)).toEqual(['An event was recorded after close() and is not delivered'])
  })

  test('reports a sink that fails to close', async () => {
    const lane = start([{ ...memorySink(), close: () => Promise.reject(new Error('no')) }])
    lane.add(1)
    await lane.delivery.close()
    expect(messages(lane.said)).toEqual(['The sink memory failed to close'])
  })
})

describe('drainSync', () => {
  test('hands everything over without waiting, in order and in batches', async () => {
    const sink = memorySink()
    await using lane = start([sink], { maxBatchSize: 2 })
    lane.add(5)
    lane.delivery.drainSync()
    expect(sink.batches.map(ids)).toEqual([['e1', 'e2'], ['e3', 'e4'], ['e5']])
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, delivered: 5 })
  })

  test('repeats the batch in flight, and its late answer changes nothing', async () => {
    const gate = gated()
    const sync: string[] = []
    const sink: Sink = {
      name: 's',
      send: () => gate.promise,
      sendSync: (batch) => {
        sync.push(...ids(batch))
        return DONE
      },
    }
    await using lane = start([sink])
    lane.add(2)
    const flushed = lane.delivery.flush()
    lane.delivery.drainSync()
    expect(sync).toEqual(['e1', 'e2'])
    gate.resolve(DONE)
    await flushed
    expect(lane.delivery.stats()).toMatchObject({ queued: 0, delivered: 2 })
  })

  test('halves and bisects like any send, and stops at a sink that fails', async () => {
    const taken: string[] = []
    const sink: Sink = {
      name: 's',
      send: async () => DONE,
      sendSync: (batch) => {
        if (batch.events.length > 1) return tooLarge
        if (ids(batch)[0] === 'e2') return refused
        if (ids(batch)[0] === 'e4') throw new Error('disk')
        taken.push(...ids(batch))
        return DONE
      },
    }
    await using lane = start([sink])
    lane.add(5)
    lane.delivery.drainSync()
    expect(taken).toEqual(['e1', 'e3'])
    expect(lane.delivery.stats()).toMatchObject({ queued: 2, delivered: 2, rejected: 1, retries: 1 })
  })
})

describe('a roll-up', () => {
  test('is drained once before the flush by age, before flush() and before close()', async () => {
    const sink = memorySink()
    const lane = start([sink])
    let number = 0
    const rollUp = () => lane.delivery.watchRollUp(() => lane.add(1, ++number))
    rollUp()
    await vi.advanceTimersByTimeAsync(5000)
    await turns()
    expect(sink.events).toHaveLength(1)
    rollUp()
    await lane.delivery.flush()
    expect(sink.events).toHaveLength(2)
    rollUp()
    await lane.delivery.close()
    expect(sink.events).toHaveLength(3)
    expect(number).toBe(3)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that fails to drain is a problem and no more', async () => {
    await using lane = start([memorySink()])
    lane.delivery.watchRollUp(() => {
      throw new Error('oops')
    })
    lane.add(1)
    await lane.delivery.flush()
    expect(messages(lane.said)).toEqual(['tallygate failed while summing up sampled-out calls'])
    expect(lane.delivery.stats().delivered).toBe(1)
  })
})

test('under raiseOnError nothing is thrown at whoever records; flush says it', async () => {
  const problems = createProblems({ raiseOnError: true })
  const one = scripted('one', refused, DONE)
  const delivery = createDelivery({ sinks: [one.sink], problems })
  delivery.add(event(1))
  await expect(delivery.flush()).rejects.toThrow('one refused event e1 for good: answered 400')
  delivery.add(event(2))
  await delivery.flush()
  expect(one.taken).toEqual(['e2'])
  await delivery.close()
})

describe('the queue', () => {
  test('behaves like a list that forgets its front', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 1500 })), { maxLength: 20 }),
        (maxSize, steps) => {
          const fifo = createFifo<number>(maxSize)
          let model: number[] = []
          let added = 0
          for (const [pushes, takes] of steps) {
            for (let i = 0; i < pushes; i++) {
              model.push(added)
              expect(fifo.push(added++)).toBe(model.length > maxSize)
              if (model.length > maxSize) model = model.slice(1)
            }
            expect(fifo.take(takes)).toEqual(model.splice(0, takes))
            expect([fifo.size, fifo.left]).toEqual([model.length, added - model.length])
          }
        },
      ),
      { numRuns: 50 },
    )
  })
})
