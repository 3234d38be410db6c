// When a meter says something of itself, what it says, and what it forgets once that is kept: by a clock that the test turns.

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDelivery } from '../../src/delivery/delivery.ts'
import { createWaits } from '../../src/delivery/waits.ts'
import { LimitExceededError, MissingTenantError } from '../../src/errors.ts'
import { createRefusals } from '../../src/meter/refusals.ts'
import { createReports } from '../../src/meter/reports.ts'
import type { MeterStats } from '../../src/meter/stats.ts'
import { VERSION } from '../../src/meter/version.ts'
import { createProblems, type Problem } from '../../src/problems.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import type { MeterReport } from '../../src/sinks/meter-report.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { event } from '../support/ledgers.ts'

const START = Date.UTC(2026, 10, 22, 14, 30)
const MINUTE = 60_000
const never = new AbortController().signal

// Loaded with the first report, which must not wait for the disk by a clock that stands still.
beforeAll(() => import('../../src/meter/report-making.ts'))
beforeEach(() => void vi.useFakeTimers({ now: START }))
afterEach(() => void vi.useRealTimers())

const limit = (over: Partial<ConstructorParameters<typeof LimitExceededError>[0]> = {}) =>
  new LimitExceededError({
    tenantId: 'acme',
    limitUsd: '5',
    spentUsd: '5',
    heldUsd: '0',
    window: 'month',
    scope: 'tenant',
    limitOf: 'tenant=acme',
    resetsAt: undefined,
    ...over,
  } as ConstructorParameters<typeof LimitExceededError>[0])

type Stats = ReturnType<Parameters<typeof createReports>[0]['stats']>
const QUIET: MeterStats['delivery'] = { queued: 0, delivered: 0, dropped: 0, rejected: 0, retries: 0, sinks: {} }

/** A meter's reports, with a sink that answers as it is told, and keeps when nothing is left to be told. */
function stage(...answers: (boolean | Error | 'hangs')[]) {
  const said: MeterReport[] = []
  const problems: Problem[] = []
  const stats: { -readonly [K in keyof Stats]: Stats[K] } = {
    calls: 0,
    errors: 0,
    refused: 0,
    delivery: QUIET,
    coverage: {},
  }
  const sink: Sink = {
    ...memorySink(),
    async report(report) {
      said.push(report)
      const answer = answers.shift() ?? true
      if (answer === 'hangs') return new Promise(() => {})
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const reporter = createProblems({ onProblem: (problem) => void problems.push(problem), raiseOnError: false })
  const setup = { appName: 'shop', environment: 'test', stats: () => ({ ...stats }), problems: () => reporter }
  const reports = createReports({ ...setup, sinks: [memorySink(), sink] })
  return { reports, said, problems, stats, setup }
}

const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * MINUTE)

describe('a meter speaks of itself', () => {
  test('a minute after something happened, and no more until something happens again', async () => {
    const { reports, said, stats } = stage()
    expect(vi.getTimerCount()).toBe(0)
    reports.touch()
    stats.calls = 3
    for (let i = 0; i < 100; i++) reports.touch()
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(MINUTE - 1)
    expect(said).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(said).toMatchObject([
      {
        sequence: 1,
        at: START + MINUTE,
        startedAt: START,
        isEnded: false,
        appName: 'shop',
        environment: 'test',
        pid: process.pid,
        version: VERSION,
        nodeVersion: process.versions.node,
        calls: 3,
      },
    ])
    expect(vi.getTimerCount()).toBe(0)
    await minutes(60)
    reports.touch()
    await minutes(1)
    expect(said.map(({ sequence, meterId }) => [sequence, meterId])).toEqual([
      [1, said[0]!.meterId],
      [2, said[0]!.meterId],
    ])
  })

  test('each minute while events wait, though nothing else happens', async () => {
    const { reports, said, stats } = stage()
    stats.delivery = { ...QUIET, queued: 4, queuedSince: START - 5, dropped: 1, rejected: 2 }
    reports.touch()
    await minutes(3)
    stats.delivery = QUIET
    await minutes(60)
    expect(said.map(({ waiting }) => waiting)).toEqual([4, 4, 4, 0])
    expect(said[0]).toMatchObject({ waitingSince: START - 5, lost: 1, deadLetters: 2 })
    expect(said[3]).not.toHaveProperty('waitingSince')
  })

  test('never, and counts nothing, where no sink has a place for it', async () => {
    const { setup, problems } = stage()
    const reports = createReports({ ...setup, sinks: [memorySink()] })
    reports.touch()
    reports.refused(limit(), 'acme')
    reports.problem({ kind: 'limit', message: 'x' })
    expect(vi.getTimerCount()).toBe(0)
    await reports.end(never)
    expect(problems).toEqual([])
  })

  test('at its end, where it had begun, and never after it', async () => {
    const silent = stage()
    await silent.reports.end(never)
    expect(silent.said).toEqual([])
    const { reports, said } = stage()
    reports.touch()
    await reports.end(never)
    await reports.end(never)
    expect(said).toMatchObject([{ isEnded: true }])
    reports.touch()
    expect(vi.getTimerCount()).toBe(0)
    await reports.end(never)
    expect(said.map(({ sequence }) => sequence)).toEqual([1, 2])
  })

  test('at its end only as long as there is time', async () => {
    const { reports, said } = stage('hangs')
    reports.touch()
    await reports.end(AbortSignal.abort())
    expect(said).toEqual([])
    const over = new AbortController()
    const late = stage('hangs')
    late.reports.touch()
    const ending = late.reports.end(over.signal)
    await vi.advanceTimersByTimeAsync(0)
    over.abort()
    await ending
    expect(late.said).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('at its end without waiting for a report that hangs', async () => {
    const { reports, said } = stage('hangs')
    reports.touch()
    await minutes(1)
    const over = new AbortController()
    reports.touch()
    const ending = reports.end(over.signal)
    over.abort()
    await ending
    expect(said).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('again where it was not kept; a sink that hangs is given up', async () => {
    const { reports, said, problems } = stage('hangs', new Error('down'), true)
    reports.refused(limit(), 'acme')
    await minutes(60)
    expect(said.map(({ refusals }) => refusals.length)).toEqual([1, 1, 1])
    expect(problems).toEqual([])
    reports.touch()
    await minutes(1)
    expect(said[3]!.refusals).toEqual([])
  })

  test('and says that nobody keeps it once, after three failures, and once more after it was kept', async () => {
    const down = new Error('down')
    const { reports, problems } = stage(down, down, down, down, true, down, down, down)
    reports.touch()
    await minutes(4)
    const message = 'What this meter says of itself is not kept by memory; its events are another matter.'
    expect(problems).toEqual([{ kind: 'delivery', message }])
    await minutes(1)
    reports.touch()
    await minutes(4)
    expect(problems).toHaveLength(2)
  })

  test('with what went past it, most calls first, and what is beyond fifty hosts together', async () => {
    const { reports, said, stats } = stage()
    const host = (seen: number, metered: number, unknown?: number) => ({
      provider: 'openai',
      seen,
      metered,
      ...(unknown !== undefined && { unknown }),
    })
    stats.coverage = {
      'api.openai.com': host(10, 10),
      'one.example': host(5, 4, 2),
      'two.example': host(0, 0, 1),
      ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${i}.example`, host(100, 0, 1)])),
    }
    reports.touch()
    await minutes(1)
    const { unmetered } = said[0]!
    expect(unmetered).toHaveLength(51)
    expect(unmetered[50]).toEqual({ host: null, calls: 1001, unknown: 13 })
    expect(unmetered.reduce((sum, { calls, unknown }) => sum + calls + unknown, 0)).toBe(6001 + 63)
  })

  test('with its last twenty problems, and nobody’s name in them', async () => {
    const { reports, said } = stage()
    const say = (kind: Problem['kind'], message: string) => reports.problem({ kind, message })
    for (let i = 0; i < 20; i++) say('delivery', `${i}`)
    say('limit', 'A limit of tenant "ac\\"me" could not be stored.')
    say('limit', 'A limit of user=u 1&tenant=acme could not be stored: no place.')
    say('limit', 'The limit per month of tenant=acme is in the time zone Mars/Base, which this Node does not know.')
    say('tenant', 'Expected `tenantId` to be a string, got "a secret".')
    say('price', 'No price is known for model "gpt-99" of openai.\n\ud800')
    reports.touch()
    await minutes(1)
    const messages = said[0]!.problems.map(({ message }) => message)
    expect(messages).toHaveLength(20)
    expect(messages.slice(-5)).toEqual([
      'A limit of tenant "…" could not be stored.',
      'A limit of … could not be stored: no place.',
      'The limit per month of … is in the time zone Mars/Base, which this Node does not know.',
      'Expected `tenantId` to be a string, got "…".',
      'No price is known for model "gpt-99" of openai. \ufffd',
    ])
  })

  test('under the version of this package', () => {
    expect(VERSION).toBe((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version)
  })
})

describe('refusals', () => {
  const clock = { now: START + 5 }
  const add = (refusals: ReturnType<typeof createRefusals>, count: number, tenantId: string | undefined = 'acme') => {
    for (let i = 0; i < count; i++) refusals.add(limit(), tenantId)
  }
  beforeEach(() => {
    clock.now = START + 5
  })

  test('are running totals of a minute, tenant, limit and reason, told until they are kept', () => {
    const refusals = createRefusals(() => clock.now)
    add(refusals, 3)
    const first = refusals.untold()
    expect(first).toEqual([
      { at: START, tenantId: 'acme', scope: 'tenant=acme', window: 'month', code: 'LIMIT_EXCEEDED', calls: 3 },
    ])
    add(refusals, 2)
    refusals.told(first)
    expect(refusals.untold()).toMatchObject([{ calls: 5 }])
    refusals.told(refusals.untold())
    expect(refusals.untold()).toEqual([])
    // The minute goes on: its sum does, too.
    add(refusals, 1)
    expect(refusals.untold()).toMatchObject([{ at: START, calls: 6 }])
    clock.now += MINUTE
    refusals.add(new MissingTenantError(), undefined)
    refusals.add(limit({ limitOf: `session=${'s'.repeat(600)}`, scope: 'session' }), 'b')
    refusals.add(new LimitExceededError({ code: 'LIMIT_STORE_DOWN' }), 'b')
    expect(refusals.untold().slice(1)).toEqual([
      { at: START + MINUTE, tenantId: null, scope: null, window: null, code: 'MISSING_TENANT', calls: 1 },
      { at: START + MINUTE, tenantId: 'b', scope: 'session', window: 'month', code: 'LIMIT_EXCEEDED', calls: 1 },
      { at: START + MINUTE, tenantId: 'b', scope: null, window: null, code: 'LIMIT_STORE_DOWN', calls: 1 },
    ])
  })

  test('of a minute that is forgotten never begin anew, even where a clock is set back', () => {
    const refusals = createRefusals(() => clock.now)
    add(refusals, 3)
    clock.now += 2 * MINUTE
    refusals.told(refusals.untold())
    clock.now = START
    add(refusals, 1)
    expect(refusals.untold()).toMatchObject([{ at: START + 2 * MINUTE, calls: 1 }])
  })

  test('take a bounded place, and every one of them is counted', () => {
    const refusals = createRefusals(() => clock.now)
    for (let i = 0; i < 200; i++) {
      clock.now += MINUTE
      for (let tenant = 0; tenant < 20; tenant++) add(refusals, 1, `t-${tenant}`)
    }
    const untold = refusals.untold()
    expect(untold.length).toBeLessThanOrEqual(1060)
    expect(untold.reduce((sum, { calls }) => sum + calls, 0)).toBe(4000)
    expect(untold.filter(({ code }) => code === 'OTHERS').length).toBe(60)
    clock.now += MINUTE
    refusals.told(untold)
    expect(refusals.untold()).toEqual([])
  })

  test('whatever is kept of the reports, a ledger that takes the largest of each counts every call once', () => {
    const deed = fc.oneof(
      fc.record({ kind: fc.constant('refuse' as const), tenant: fc.constantFrom('a', 'b', undefined) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: -MINUTE, max: 3 * MINUTE }) }),
      fc.record({ kind: fc.constant('report' as const), isKept: fc.boolean(), isKnown: fc.boolean() }),
    )
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
        clock.now = START
        const refusals = createRefusals(() => clock.now)
        const ledger = new Map<string, number>()
        const keep = () => {
          for (const { calls, ...of } of refusals.untold()) {
            const key = JSON.stringify(of)
            ledger.set(key, Math.max(ledger.get(key) ?? 0, calls))
          }
        }
        let count = 0
        for (const it of deeds) {
          if (it.kind === 'wait') clock.now += it.ms
          else if (it.kind === 'refuse') {
            add(refusals, 1, it.tenant)
            count++
          } else if (it.isKept) {
            const told = refusals.untold()
            keep()
            // The answer may be lost on its way.
            if (it.isKnown) refusals.told(told)
          }
        }
        keep()
        expect([...ledger.values()].reduce((sum, calls) => sum + calls, 0)).toBe(count)
      }),
    )
  })
})

describe('since when the oldest event waits', () => {
  test('is the time of the one at the front, to a second, or to a part of a long wait', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 1500 }),
        fc.array(fc.nat(1500), { maxLength: 5 }),
        (steps, asked) => {
          let now = START
          const waits = createWaits(() => now)
          const came = steps.map((step, position) => {
            now += step
            waits.added(position)
            return now
          })
          for (const position of asked.filter((one) => one < steps.length).sort((a, b) => a - b)) {
            const since = waits.since(position)!
            const coarse = Math.max(1000, (now - START) / 256)
            expect(came[position]! - since).toBeGreaterThanOrEqual(0)
            expect(came[position]! - since).toBeLessThanOrEqual(coarse)
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('is in the stats of delivery while events wait, and no longer', async () => {
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    let isDown = true
    const sink: Sink = {
      ...memorySink(),
      send: async () => (isDown ? { outcome: 'retry', error: new Error('down') } : { outcome: 'delivered' }),
    }
    const delivery = createDelivery({ sinks: [sink], problems, random: () => 0 })
    expect(delivery.stats()).not.toHaveProperty('queuedSince')
    delivery.add(event())
    await vi.advanceTimersByTimeAsync(30_000)
    delivery.add(event())
    expect(delivery.stats()).toMatchObject({ queued: 2, queuedSince: START, sinks: { memory: { queuedSince: START } } })
    isDown = false
    vi.useRealTimers()
    await delivery.flush()
    expect(delivery.stats()).toMatchObject({ queued: 0 })
    expect(delivery.stats()).not.toHaveProperty('queuedSince')
    await delivery.close()
  })
})
