// Jobs: parked with their call, told by another, recorded once and for whoever started them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jobEventId } from '../../src/call/job-event-id.ts'
import {
  createJobs,
  type EndedJob,
  type Estimate,
  type JobOrigin,
  type JobStore,
  type Jobs,
} from '../../src/call/jobs.ts'
import type { FinishedCall } from '../../src/call/record.ts'
import type { Hold } from '../../src/limits/limiter.ts'
import type { Job, JobResult, Reading } from '../../src/providers/provider.ts'

const HOUR = 60 * 60 * 1000

function finished(tenantId: string, reading: Reading, more: Partial<FinishedCall> = {}): FinishedCall {
  return {
    payer: { tenantId, attribution: {} },
    provider: 'openai',
    host: 'api.openai.com',
    endpoint: 'responses',
    facts: { model: 'gpt-6-sol', stream: false },
    reading,
    usage: reading.usage,
    usageSource: reading.usage ? 'reported' : 'estimated',
    usageBounds: undefined,
    flags: reading.flags,
    attempts: [{ status: 200, billable: 'yes' }],
    requestId: 'req_1',
    status: 200,
    error: undefined,
    errorCode: undefined,
    streamEnd: undefined,
    at: 0,
    durationMs: 5,
    timeToFirstTokenMs: undefined,
    ...more,
  }
}

const opened = (id: string, more: Partial<Job> = {}): Reading => ({ job: { id, state: 'open', ...more } })
const over = (id: string, more: Partial<Reading> = {}): Reading => ({
  job: { id, state: 'over' },
  usage: { 'input.text': 7 },
  ...more,
})
const asked = (reading: Reading, more: Partial<FinishedCall> = {}) => finished('other', reading, more)

function memoryStore(): JobStore & { readonly kept: Map<string, JobOrigin> } {
  const kept = new Map<string, JobOrigin>()
  const claimed = new Set<string>()
  return {
    kept,
    put: (key, origin) => void kept.set(key, origin),
    get: (key) => kept.get(key),
    claim: (keys, _at, record) => record(keys.filter((key) => !claimed.has(key) && claimed.add(key))),
  }
}

function claimed(jobs: Jobs, ended: readonly EndedJob[]): readonly EndedJob[] {
  const recorded: EndedJob[] = []
  jobs.claim(ended, (job) => recorded.push(job))
  return recorded
}

function setUp(store = memoryStore()) {
  const released: Hold[] = []
  const kept: Promise<unknown>[] = []
  const jobs = createJobs(
    store,
    (hold) => void released.push(hold),
    (work) => void kept.push(work),
  )
  return { jobs, store, released, kept }
}

const hold = (name: string) => ({ name }) as unknown as Hold

function noted() {
  const ids: string[] = []
  const estimate: Estimate = {
    later: (id) => {
      ids.push(`later ${id}`)
      return Promise.resolve()
    },
    atOnce: (id) => void ids.push(`at once ${id}`),
  }
  return { ids, estimate }
}

describe('a job that is over', () => {
  test('is told once, with the call that started it and its hold', () => {
    const { jobs } = setUp()
    const held = hold('acme')
    jobs.park(finished('acme', opened('r1'), { at: 42 }), held, undefined)
    expect(jobs.hear(asked(opened('r1')), [])).toEqual([])
    const [ended] = jobs.hear(asked(over('r1'), { status: 201, at: 99 }), [])
    expect(ended).toMatchObject({
      call: {
        payer: { tenantId: 'acme' },
        at: 42,
        status: 201,
        usage: { 'input.text': 7 },
        usageSource: 'reported',
        eventId: jobEventId('openai r1'),
      },
    })
    expect(ended!.hold).toBe(held)
    expect(jobs.hear(asked(over('r1')), [])).toEqual([])
  })

  test('that another process started is found in the store', () => {
    const store = memoryStore()
    setUp(store).jobs.park(finished('acme', opened('r1'), { endpoint: 'videos.remix', at: 42 }), hold('x'), undefined)
    const [ended] = setUp(store).jobs.hear(asked(over('r1')), [])
    expect(ended).toMatchObject({ call: { payer: { tenantId: 'acme' }, endpoint: 'videos.remix', at: 42 } })
    expect(ended!.hold).toBeUndefined()
  })

  test('that nobody knows is billed to whoever asks', () => {
    const [ended] = setUp().jobs.hear(asked(over('r1')), [])
    expect(ended!.call.payer.tenantId).toBe('other')
  })

  test('of another provider is another job', () => {
    const { jobs } = setUp()
    jobs.park(finished('acme', opened('r1')), undefined, undefined)
    const [ended] = jobs.hear(asked(over('r1'), { provider: 'azure' }), [])
    expect(ended!.call.payer.tenantId).toBe('other')
  })

  test('as soon as it starts keeps the hold of its own call, and gives a second one back', () => {
    const { jobs, released } = setUp()
    const [first, second] = [hold('first'), hold('second')]
    expect(jobs.hear(asked(over('r1')), [], first)[0]!.hold).toBe(first)
    expect(jobs.hear(asked(over('r1')), [], second)).toEqual([])
    expect(released).toEqual([second])
  })

  test.each<[string, Partial<Reading>, Partial<FinishedCall>]>([
    ['without usage', { usage: undefined }, { usageSource: 'absent', flags: ['missing:usage'] }],
    ['that failed', { usage: undefined, error: 'failed' }, { usageSource: 'absent', error: 'failed' }],
    [
      'with half of its usage',
      { isPartial: true, flags: ['missing:x'] },
      { usageSource: 'partial', flags: ['missing:x'] },
    ],
  ])('%s says so', (_, more, expected) => {
    const [ended] = setUp().jobs.hear(asked(over('r1', more)), [])
    expect(ended!.call).toMatchObject(expected)
  })

  test('may have used what only its request tells', () => {
    const { jobs } = setUp()
    const started = finished('acme', opened('v1'), {
      facts: { model: 'sora-2', stream: false, metadata: { seconds: 8 } },
    })
    jobs.park(started, undefined, undefined)
    const job: Job = {
      id: 'v1',
      state: 'over',
      cameTo: ({ metadata }) => ({
        usage: { 'unit.output_seconds': Number(metadata?.['seconds']) },
        isEstimated: true,
      }),
    }
    const [ended] = jobs.hear(asked({ job }), [])
    expect(ended!.call).toMatchObject({ usage: { 'unit.output_seconds': 8 }, usageSource: 'estimated' })
  })
})

describe('a job that is told call by call', () => {
  const result = (id: string, job = 'file-1'): JobResult => ({
    job,
    id,
    endpoint: 'chat.completions',
    reading: { usage: { 'input.text': 1 }, model: 'gpt-4o', serviceTier: 'batch' },
  })

  test('gives its hold back at once, and its results to whoever started it, each once', () => {
    const { jobs, released } = setUp()
    const held = hold('acme')
    jobs.park(finished('acme', { job: { id: 'b1', state: 'split' } }), held, undefined)
    expect(released).toEqual([held])
    expect(jobs.hear(asked({ job: { id: 'b1', state: 'split', aliases: ['file-1', 'file-2'] } }), [])).toEqual([])
    const ended = jobs.hear(asked({}), [result('l1'), result('l2', 'file-2'), result('l1')])
    expect(ended.map(({ call }) => [call.payer.tenantId, call.usage, call.endpoint])).toEqual([
      ['acme', { 'input.text': 1 }, 'chat.completions'],
      ['acme', { 'input.text': 1 }, 'chat.completions'],
    ])
    expect(ended[0]!.call).toMatchObject({ attempts: [], facts: { model: 'gpt-4o', stream: false } })
    expect(ended[0]!.call).toMatchObject({ requestId: undefined, status: undefined, durationMs: undefined })
    expect(jobs.hear(asked({}), [result('l2', 'file-2')])).toEqual([])
  })

  test('lends its results the model that it names, where they name none', () => {
    const { jobs } = setUp()
    jobs.park(
      finished('acme', { job: { id: 'b1', state: 'split' } }, { facts: { model: 'unknown', stream: false } }),
      undefined,
      undefined,
    )
    jobs.hear(asked({ model: 'gpt-image-2', job: { id: 'b1', state: 'split', aliases: ['file-1'] } }), [])
    const [ended] = jobs.hear(asked({}), [{ ...result('l1'), reading: { usage: { 'output.image': 1 } } }])
    expect(ended!.call.facts.model).toBe('gpt-image-2')
  })

  test('of a list is only heard where it is known who started it', () => {
    const { jobs } = setUp()
    jobs.park(finished('acme', opened('r1')), undefined, undefined)
    const list = { listed: [over('r0'), over('r1'), opened('r2'), { ...over('r1') }] }
    expect(jobs.hear(asked(list), []).map(({ call }) => call.payer.tenantId)).toEqual(['acme'])
  })
})

describe('a job that two processes hear of', () => {
  test('is recorded by one of them, and the other lets go the money that it held', () => {
    const store = memoryStore()
    const [first, second] = [setUp(store), setUp(store)]
    first.jobs.park(finished('acme', opened('r1')), hold('first'), undefined)
    const recorded = claimed(first.jobs, first.jobs.hear(asked(over('r1')), []))
    expect(recorded.map(({ call }) => call.payer.tenantId)).toEqual(['acme'])
    const held = hold('second')
    expect(claimed(second.jobs, second.jobs.hear(asked(over('r1')), [], held))).toEqual([])
    expect(second.released).toEqual([held])
  })

  test('and of whose results each has read a part counts every result once', () => {
    const store = memoryStore()
    const [first, second] = [setUp(store).jobs, setUp(store).jobs]
    const heard = (jobs: typeof first, ...ids: string[]) =>
      claimed(
        jobs,
        jobs.hear(
          asked({}),
          ids.map((id) => ({ job: 'b1', id, endpoint: 'responses', reading: { usage: { 'input.text': 1 } } })),
        ),
      ).length
    expect([heard(first, 'l1', 'l2'), heard(second, 'l1', 'l2', 'l3'), heard(first, 'l3')]).toEqual([2, 1, 0])
  })
})

describe('a job that nobody asks for', () => {
  test('is estimated in the end, under the id that its true event would have', async () => {
    const { jobs } = setUp()
    const { ids, estimate } = noted()
    jobs.park(finished('acme', opened('r1')), hold('acme'), estimate)
    jobs.park(finished('acme', opened('v1')), hold('acme'), undefined)
    await jobs.giveUp()
    await jobs.giveUp()
    expect(ids).toEqual([`later ${jobEventId('openai r1')}`])
    expect(jobs.hear(asked(over('r1')), [])[0]!.call.eventId).toBe(jobEventId('openai r1'))
  })

  test('is estimated at once when the process exits', () => {
    const { jobs } = setUp()
    const { ids, estimate } = noted()
    jobs.park(finished('acme', opened('r1')), undefined, estimate)
    jobs.giveUpAtOnce()
    jobs.giveUpAtOnce()
    expect(ids).toEqual([`at once ${jobEventId('openai r1')}`])
  })

  test('one estimate that fails does not keep the others from being made', async () => {
    const { jobs } = setUp()
    const { ids, estimate } = noted()
    jobs.park(finished('acme', opened('r1')), undefined, { ...estimate, later: () => Promise.reject(new Error('no')) })
    jobs.park(finished('acme', opened('r2')), undefined, estimate)
    await jobs.giveUp()
    expect(ids).toEqual([`later ${jobEventId('openai r2')}`])
  })

  test('holds its money for a day, and no longer', () => {
    const { jobs, released, kept } = setUp()
    const { ids, estimate } = noted()
    const held = hold('video')
    jobs.park(finished('acme', opened('v1'), { at: 0 }), held, undefined)
    jobs.park(finished('acme', opened('r1'), { at: HOUR }), hold('text'), estimate)
    jobs.park(finished('acme', opened('r2'), { at: 25 * HOUR }), hold('text'), estimate)
    expect(released).toEqual([held])
    expect(ids).toEqual([])
    jobs.park(finished('acme', opened('r3'), { at: 26 * HOUR }), hold('text'), estimate)
    expect(ids).toEqual([`later ${jobEventId('openai r1')}`])
    expect(kept).toHaveLength(1)
  })

  test('makes room for others, however many there are', () => {
    const { jobs, released } = setUp()
    for (let i = 0; i < 10_050; i++) jobs.park(finished('acme', opened(`v${i}`)), hold(`${i}`), undefined)
    expect(released.length).toBeGreaterThanOrEqual(49)
  })
})

test('the id of an event is a UUIDv8 that depends on the job alone', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      expect(jobEventId(one)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(jobEventId(one) === jobEventId(other)).toBe(one === other)
    }),
  )
})

test('whatever is parked and asked for in whatever order, each job is told at most once', () => {
  const step = fc.record({ id: fc.constantFrom('a', 'b', 'c'), does: fc.constantFrom('park', 'ask', 'end', 'list') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { jobs } = setUp()
      const told: string[] = []
      for (const { id, does } of steps) {
        if (does === 'park') jobs.park(finished('acme', opened(id)), undefined, undefined)
        const reading = does === 'end' ? over(id) : does === 'list' ? { listed: [over(id), over(id)] } : opened(id)
        for (const { call } of jobs.hear(asked(reading), [])) told.push(call.eventId!)
      }
      expect(new Set(told).size).toBe(told.length)
    }),
  )
})
