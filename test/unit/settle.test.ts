// The end of a call, when estimating it or telling of it fails: neither its event nor the money that it held is lost.

import { expect, test } from 'vitest'
import type { Evidence } from '../../src/call/missing-usage.ts'
import type { FinishedCall } from '../../src/call/record.ts'
import { type SettlingContext, settle, settleLater } from '../../src/call/settle.ts'
import type { LLMEvent } from '../../src/event.ts'
import type { Hold } from '../../src/limits/limiter.ts'
import { lazyBook } from '../../src/pricing/lazy-book.ts'
import { createProblems } from '../../src/problems.ts'

const call: FinishedCall = {
  payer: { tenantId: 'acme', attribution: {} },
  provider: 'muse',
  host: 'api.muse.example',
  endpoint: 'verses',
  facts: { model: 'muse-1', stream: false },
  reading: {},
  usage: undefined,
  usageSource: 'estimated',
  usageBounds: undefined,
  flags: undefined,
  attempts: [],
  requestId: undefined,
  status: 200,
  error: undefined,
  errorCode: undefined,
  streamEnd: undefined,
  at: Date.UTC(2026, 10, 22),
  durationMs: 1,
  timeToFirstTokenMs: undefined,
}

const unreadable = (): Evidence => {
  throw new RangeError('Maximum call stack size exceeded')
}

test.each(['later', 'at exit'] as const)(
  'a prompt that cannot be counted loses neither the event nor the money held: %s',
  async (when) => {
    const recorded: LLMEvent[] = []
    const settled: bigint[] = []
    const kept: [Promise<unknown>, (() => void) | undefined][] = []
    const context = {
      limiter: { settle: (_: Hold, pico: bigint) => void settled.push(pico) },
      prices: lazyBook(createProblems({ raiseOnError: true })),
      record: (event: LLMEvent) => void recorded.push(event),
      keep: (work: Promise<unknown>, atOnce?: () => void) => void kept.push([work, atOnce]),
    } as unknown as Parameters<typeof settleLater>[3] & SettlingContext
    settleLater(call, unreadable, {} as Hold, context)
    const [work, atOnce] = kept[0]!
    if (when === 'at exit') expect(() => atOnce?.()).toThrow('call stack')
    // Whoever keeps the work reports that it failed.
    await expect(work).rejects.toThrow('call stack')
    expect(recorded).toMatchObject([{ tenantId: 'acme', model: 'muse-1', usageSource: 'absent' }])
    expect(settled).toEqual([0n])
  },
)

test.each(['what it used has no price', 'the limit cannot be settled'] as const)(
  'a call of which something must be told that throws is recorded all the same: %s',
  async (fault) => {
    const recorded: LLMEvent[] = []
    const settled: bigint[] = []
    const raise = (): never => {
      throw new Error('told')
    }
    const context = {
      limiter: {
        settle: (_: Hold, pico: bigint) => {
          settled.push(pico)
          if (fault === 'the limit cannot be settled') raise()
        },
      },
      unpriced: raise,
      record: (event: LLMEvent) => void recorded.push(event),
    } as unknown as SettlingContext
    const used: FinishedCall = { ...call, usage: { 'output.text': 5 }, usageSource: 'reported' }
    const { load } = lazyBook(createProblems({ raiseOnError: true }))
    const book = await load()
    expect(() => settle(used, book, {} as Hold, context)).toThrow('told')
    expect(recorded).toMatchObject([{ model: 'muse-1', costSource: 'unpriced' }])
    expect(settled).toEqual([0n])
  },
)
