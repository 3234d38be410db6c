// A process that is killed: what it wrote down of its leases settles them, whoever reads it and how often.

import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bequest, type BequestNews, createHeir } from '../../src/limits/bequest.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import type { Hold } from '../../src/limits/limiter.ts'
import { postgresLimitStore } from '../../src/limits/postgres-store.ts'
import { sqliteLimitStore } from '../../src/limits/sqlite-store.ts'
import { calendarOf } from '../../src/limits/window.ts'
import { formatUsd, picoFromNano } from '../../src/money.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { AT, type Clock, clocks, memory, process, remote, usd } from '../support/limits.ts'

type Line = { kind: string; json: string }

/** A spool that keeps everything, and that a test can break or begin a new segment of. */
function notebook() {
  const lines: Line[] = []
  const book = {
    lines,
    isBroken: false,
    note(kind: string, value: unknown): unknown {
      if (book.isBroken) return undefined
      return lines.push({ kind, json: JSON.stringify(value) })
    },
    newSegment(opening: Iterable<readonly [string, unknown]>) {
      lines.length = 0
      for (const [kind, value] of opening) lines.push({ kind, json: JSON.stringify(value) })
    },
    left(): Bequest & { isRetained: boolean; isForAnother: boolean } {
      const records = [...lines]
      const bequest = {
        isRetained: false,
        isForAnother: false,
        writtenAt: AT,
        records: () => records,
        retain() {
          bequest.isRetained = true
          return (isSettled = true) => {
            bequest.isRetained = false
            bequest.isForAnother = !isSettled
          }
        },
      }
      return bequest
    },
  }
  return book
}

function stage() {
  const clock = clocks()
  const store = memory(clock)
  const book = notebook()
  const dead = process(remote(store), clock, { note: book.note })
  return { clock, store, book, dead, heir: () => createHeir(store) }
}

async function account(store: LimitStore, per: 'month' | 'day' = 'month', at = AT) {
  const windowId = calendarOf(per).at(at).id
  const [found] = await store.accounts([{ scope: 'tenant=acme', per, windowId, earlier: [] }])
  const { committed, escrow, suspense } = found!
  const dollars = (nano: bigint) => formatUsd(picoFromNano(nano))
  return `${dollars(committed)} spent, ${dollars(escrow)} out, ${dollars(suspense)} charged`
}

describe('a process that is killed', () => {
  test('is charged what it had settled and what its calls in flight held, and the rest of its slice goes back', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    dead.limiter.settle(await dead.call('0.5'), usd('0.3'), clock.now)
    await dead.call('0.4')
    await heir().take(book.left())
    expect(await account(store)).toBe('0.9 spent, 0 out, 0 charged')
  })

  test('also when its slice was charged long since', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    clock.monotonic += 60_000
    const other = process(remote(store), clock)
    await expect(other.call('9')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(await account(store)).toBe('0 spent, 0 out, 2 charged')
    await heir().take(book.left())
    expect(await account(store)).toBe('0.2 spent, 0 out, 0 charged')
    await other.limiter.beat()
    clock.monotonic += 1000
    await other.call('9')
  })

  test('in every limit that its calls counted in', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    await dead.limit('acme', { usd: 5, per: 'day', mode: 'soft' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    await dead.call('0.4')
    await heir().take(book.left())
    expect(await account(store)).toBe('0.6 spent, 0 out, 0 charged')
    expect(await account(store, 'day')).toBe('0.2 spent, 0 out, 0 charged')
  })

  test('in the window in which its calls were made, though another has begun', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, per: 'day', mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    await dead.call('0.4')
    clock.now += 86_400_000
    await dead.call('0.3')
    await heir().take(book.left())
    expect(await account(store, 'day', AT)).toBe('0.6 spent, 0 out, 0 charged')
    expect(await account(store, 'day', clock.now)).toBe('0.3 spent, 0 out, 0 charged')
  })

  test('is settled once, however many find it at once or again', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    await dead.call('0.4')
    await Promise.all([heir().take(book.left()), heir().take(book.left())])
    await heir().take(book.left())
    expect(await account(store)).toBe('0.6 spent, 0 out, 0 charged')
  })

  test('is settled from its last segment alone', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    const open = await dead.call('0.4')
    await dead.call('0.1')
    book.newSegment(dead.limiter.opening())
    dead.limiter.settle(open, usd('0.15'), clock.now)
    dead.limiter.spend({ tenantId: 'acme' }, usd('0.01'), clock.now)
    await heir().take(book.left())
    expect(await account(store)).toBe('0.46 spent, 0 out, 0 charged')
  })

  test('with spend that nothing was held for', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'soft' })
    dead.limiter.spend({ tenantId: 'acme' }, usd('0.01'), clock.now)
    dead.limiter.spend({ tenantId: 'acme' }, usd('0.02'), clock.now)
    await dead.limiter.pockets({ tenantId: 'acme' }, clock.now)
    await heir().take(book.left())
    expect(await account(store)).toBe('0.03 spent, 0 out, 0 charged')
  })

  test('and told the store of what it spent is not charged it again', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    await dead.limiter.beat()
    expect(await account(store)).toBe('0.2 spent, 1.8 out, 0 charged')
    await heir().take(book.left())
    expect(await account(store)).toBe('0.2 spent, 0 out, 0 charged')
  })

  test('whose limit was removed and set again meanwhile is charged nothing', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    await store.removeLimit({ scope: 'tenant=acme', per: 'month' })
    await process(store, clock).limit('acme', { usd: 10 })
    await heir().take(book.left())
    expect(await account(store)).toBe('0 spent, 0 out, 0 charged')
  })

  test('waits with what it wrote down until the store answers', async () => {
    const { store, dead, clock, book } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    const wire = remote(store)
    const heir = createHeir(wire)
    wire.state = 'down'
    const left = book.left()
    await heir.take(left)
    expect([heir.waiting, left.isRetained]).toEqual([1, true])
    wire.state = 'up'
    await heir.again()
    expect([heir.waiting, left.isRetained]).toEqual([0, false])
    expect(await account(store)).toBe('0.2 spent, 0 out, 0 charged')
  })

  test('and left something that cannot be read stays charged, which is told', async () => {
    const { store, dead, book } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    await dead.call('0.5')
    book.lines.push({ kind: 'hold', json: '{' })
    const told: unknown[] = []
    const left = book.left()
    await createHeir(store, ({ settled, unreadable }) => told.push(settled, unreadable instanceof SyntaxError)).take(
      left,
    )
    expect([...told, left.isRetained]).toEqual([0, true, false])
    expect(await account(store)).toBe('0 spent, 2 out, 0 charged')
  })

  test('though others thought it dead, and it lived: it goes on with another lease, and is charged once', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    await heir().take(book.left())
    dead.limiter.settle(await dead.call('0.5'), usd('0.1'), clock.now)
    dead.limiter.settle(await dead.call('3'), usd('1'), clock.now)
    await dead.call('0.4')
    // Killed for good this time.
    await heir().take(book.left())
    await heir().take(book.left())
    expect(await account(store)).toBe('1.7 spent, 0 out, 0 charged')
  })
})

describe('a process of another limit store', () => {
  async function killed(identity?: string) {
    const clock = clocks()
    const store: LimitStore = { ...memory(clock), ...(identity !== undefined && { identity }) }
    const book = notebook()
    const dead = process(store, clock, { note: book.note })
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    return { clock, store, dead, book }
  }

  test('whose limits I do not have: what it held stays written down, and whoever has them settles it', async () => {
    const { clock, store, book } = await killed('there')
    // With a limit of the same name.
    const other = memory(clock)
    await process(other, clock).limit('acme', { usd: 3 })
    const told: BequestNews[] = []
    for (const mine of [other, { ...other, identity: 'here' }, undefined]) {
      const left = book.left()
      await createHeir(
        mine,
        (news) => told.push(news),
        () => clock.now,
      ).take(left)
      expect([left.isRetained, left.isForAnother]).toEqual([false, true])
    }
    expect(told).toEqual(Array.from({ length: 3 }, () => ({ settled: 0, kept: 1, store: 'there' })))
    const left = book.left()
    await createHeir(
      store,
      (news) => told.push(news),
      () => clock.now,
    ).take(left)
    expect([left.isForAnother, told.at(-1)]).toEqual([false, { settled: 1, kept: 0 }])
    expect(await account(store)).toBe('0.2 spent, 0 out, 0 charged')
  })

  test('a meter that keeps its limits to itself throws nothing of it away', async () => {
    const { clock, book } = await killed()
    for (const over of [{ isPrivate: true as const }, { rulesOf: () => [] }]) {
      const left = book.left()
      await process({ ...memory(clock), ...over }, clock).limiter.inherit(left)
      expect([left.isRetained, left.isForAnother]).toEqual([false, true])
    }
  })

  test('whose limit was removed in my store leaves nothing to wait for', async () => {
    const { clock, store, book } = await killed('mine')
    await store.removeLimit({ scope: 'tenant=acme', per: 'month' })
    const told: BequestNews[] = []
    const left = book.left()
    await createHeir(
      store,
      (news) => told.push(news),
      () => clock.now,
    ).take(left)
    expect([left.isRetained, left.isForAnother, told]).toEqual([false, false, [{ settled: 0, kept: 0 }]])
  })

  test('is waited for no longer than a week after its windows, and of money in total a quarter of a year', async () => {
    const { clock, dead, book } = await killed()
    const day = 86_400_000
    const isKept = async (now: number) => {
      const left = book.left()
      await createHeir(undefined, undefined, () => now).take(left)
      return left.isForAnother
    }
    const ends = Date.UTC(2026, 11, 1)
    expect([await isKept(ends + 7 * day), await isKept(ends + 7 * day + 1)]).toEqual([true, false])
    await dead.limit('acme', { usd: 10, per: 'total' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    expect([await isKept(AT + 92 * day), await isKept(AT + 92 * day + 1)]).toEqual([true, false])
  })

  test('is named without a password, and by the same name wherever it is opened from', () => {
    const databaseUrl = 'postgres://acme:hunter2@db.internal:5433/app'
    expect(postgresLimitStore({ databaseUrl }).identity).toBe('db.internal:5433/app, schema tallygate')
    using folder = temporaryFolder()
    const path = join(folder.path, 'limits.db')
    writeFileSync(path, '')
    symlinkSync(path, join(folder.path, 'link.db'))
    expect(sqliteLimitStore({ path: join(folder.path, 'link.db') }).identity).toBe(sqliteLimitStore({ path }).identity)
  })

  test('that wrote down nothing of money leaves nothing to wait for', async () => {
    const left = notebook().left()
    await createHeir(undefined).take(left)
    expect([left.isRetained, left.isForAnother]).toEqual([false, false])
  })
})

describe('a disk that takes nothing', () => {
  test('stops no call, and gives nothing back that may have been spent', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    dead.limiter.settle(await dead.call('0.5'), usd('0.2'), clock.now)
    const before = await dead.call('0.4')
    book.isBroken = true
    // From a lease of its own, that nobody can settle.
    const unknown = await dead.call('0.3')
    expect(unknown.parts[0]!.pocket).not.toBe(before.parts[0]!.pocket)
    dead.limiter.settle(before, usd('0.1'), clock.now)
    await dead.call('0.3')
    await heir().take(book.left())
    // 0.4 was held when the disk failed; that the call came to less is written down nowhere.
    expect(await account(store)).toEqual(expect.stringMatching(/^0\.6 spent, 1\.\d+ out, 0 charged$/))
  })

  test('and takes it again, has all of it with the next segment', async () => {
    const { store, dead, clock, book, heir } = stage()
    await dead.limit('acme', { usd: 10, mode: 'hard' })
    await dead.call('0.4')
    book.isBroken = true
    const unknown = await dead.call('0.3')
    dead.limiter.settle(await dead.call('0.2'), usd('0.1'), clock.now)
    book.isBroken = false
    book.newSegment(dead.limiter.opening())
    dead.limiter.settle(unknown, usd('0.2'), clock.now)
    await dead.call('0.1')
    await heir().take(book.left())
    expect(await account(store)).toBe('0.8 spent, 0 out, 0 charged')
  })
})

describe('memory', () => {
  test('leases that have nothing in them are forgotten', async () => {
    const { dead, clock, book } = stage()
    for (let tenant = 0; tenant < 3000; tenant++) {
      await dead.limit(`t${tenant}`, { usd: 1 })
      const call = { tenantId: `t${tenant}` }
      dead.limiter.settle(await dead.call('0.01', call), usd('0.01'), clock.now)
    }
    clock.monotonic += 6000
    await dead.limiter.beat()
    book.newSegment(dead.limiter.opening())
    expect(book.lines).toEqual([])
  })

  test('nothing is written where there is nobody to settle with', async () => {
    const clock = clocks()
    const book = notebook()
    const alone = process({ ...memory(clock), isPrivate: true }, clock, { note: book.note })
    await alone.limit('acme', { usd: 1 })
    alone.limiter.settle(await alone.call('0.1'), usd('0.1'), clock.now)
    expect(book.lines).toEqual([])
  })
})

/** What happens to processes that share a limit, in any order. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('call' as const), who: fc.nat(2), cents: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      who: fc.nat(2),
      share: fc.integer({ min: 0, max: 100 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('beat' as const), who: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('segment' as const), who: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('kill' as const), who: fc.nat(2), finders: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(500, 6000, 40_000) }) },
)

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

interface Life {
  readonly book: ReturnType<typeof notebook>
  readonly app: ReturnType<typeof process>
  readonly holds: Hold[]
}

describe('whatever is interleaved', () => {
  test('a hard limit is never passed by what was spent, and when the dead are settled nothing is stranded', async () => {
    const run = async (steps: readonly Step[]) => {
      const clock: Clock = clocks()
      const store = memory(clock)
      const born = (): Life => {
        const book = notebook()
        return { book, app: process(remote(store), clock, { note: book.note }), holds: [] }
      }
      const lives = [born(), born(), born()]
      await lives[0]!.app.limit('acme', { usd: 3, mode: 'hard' })
      for (const { app } of lives) await app.limiter.beat()
      const heir = createHeir(store)
      /** What was really spent; and what calls in flight held when they were killed, which may have been spent. */
      let spent = 0n
      let lost = 0n
      for (const one of steps) {
        if (one.do === 'wait') {
          clock.monotonic += one.ms
          continue
        }
        const life = lives[one.who]!
        if (one.do === 'call') {
          const hold = await life.app.call(formatUsd(usd('0.01') * BigInt(one.cents))).catch(() => undefined)
          if (hold) life.holds.push(hold)
        } else if (one.do === 'settle') {
          const hold = life.holds.shift()
          if (!hold) continue
          const cost = (hold.parts[0]!.amount * BigInt(one.share)) / 100n
          spent += cost
          life.app.limiter.settle(hold, cost, clock.now)
        } else if (one.do === 'beat') await life.app.limiter.beat()
        else if (one.do === 'segment') life.book.newSegment(life.app.limiter.opening())
        else {
          for (const { parts } of life.holds) lost += parts[0]!.amount
          await Promise.all(Array.from({ length: one.finders }, () => heir.take(life.book.left())))
          lives[one.who] = born()
        }
        expect(spent + lost).toBeLessThanOrEqual(usd('3'))
      }
      for (const { app, holds } of lives) {
        for (const hold of holds.splice(0)) app.limiter.settle(hold, 0n, clock.now)
        await app.limiter.close()
      }
      expect(await account(store)).toBe(`${formatUsd(spent + lost)} spent, 0 out, 0 charged`)
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 120 }), run), { numRuns: 150 })
  })
})
