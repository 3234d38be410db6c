// The end of a call whose usage has to be estimated, when estimating fails.

import { expect, test } from 'vitest'
import type { Evidence } from '../../src/call/missing-usage.ts'
import type { FinishedCall } from '../../src/call/record.ts'
import { type SettlingContext, settleLater } from '../../src/call/settle.ts'
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
