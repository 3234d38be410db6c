// The comparison of the demo: it must be able to say no.

import { expect, test } from 'vitest'
import { compare, printComparison } from '../../src/cli/demo-bill.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import type { BillLine } from '../../src/emulator/index.ts'
import type { LLMEvent } from '../../src/event.ts'
import { parseUsd } from '../../src/money.ts'

function event(responseId: string, costUsd?: string, fields: Partial<LLMEvent> = {}): LLMEvent {
  return {
    eventId: `event-${responseId}`,
    timestamp: '2026-11-22T14:00:00.000Z',
    provider: 'openai',
    model: 'gpt-6-sol',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    responseId,
    ...(costUsd !== undefined && { costUsd }),
    ...fields,
  }
}

function line(responseId: string, usd?: string, fields: Partial<BillLine> = {}): BillLine {
  return {
    provider: 'openai',
    model: 'gpt-6-sol',
    endpoint: 'chat.completions',
    requestId: `req-${responseId}`,
    responseId,
    at: new Date('2026-11-22T14:00:00Z'),
    isWhole: true,
    usage: {},
    inputTokens: 10,
    outputTokens: 26,
    quantities: {},
    items: [],
    ...(usd !== undefined && { usd }),
    ...fields,
  }
}

function said(events: LLMEvent[], lines: BillLine[]): string {
  let text = ''
  const output = { write: (more: string) => (text += more) }
  printComparison(compare(events, { lines }), createTerminal(output, output, {}))
  return text
}

test('the same calls for the same money', () => {
  const { whole, broken, disputed } = compare([event('a', '0.1'), event('b', '0.2')], {
    lines: [line('b', '0.2'), line('a', '0.1', { provider: 'google' })],
  })
  expect([...whole]).toEqual([
    ['openai', { calls: 1, ledger: parseUsd('0.2'), bill: parseUsd('0.2') }],
    ['google', { calls: 1, ledger: parseUsd('0.1'), bill: parseUsd('0.1') }],
  ])
  expect([broken, disputed]).toEqual([[], []])
})

test.each([
  ['a pico-dollar apart', [event('a', '0.1')], [line('a', '0.100000000001')], ['a']],
  [
    'two faults that cancel each other',
    [event('a', '0.1'), event('b', '0.2')],
    [line('a', '0.2'), line('b', '0.1')],
    ['a', 'b'],
  ],
  ['billed and not in the ledger', [], [line('a', '0.1')], ['a']],
  ['in the ledger twice', [event('a', '0.1'), event('a2', '0.1')], [line('a', '0.1')], ['a2']],
  ['in the ledger and not billed', [event('a', '0.1')], [], ['a']],
  ['without a price', [event('a')], [line('a', '0')], ['a']],
])('%s is disputed', (_, events, lines, ids) => {
  expect(compare(events, { lines }).disputed).toEqual(ids)
  expect(said(events, lines)).toContain(`They DIFFER on ${ids.join(', ')}.`)
  expect(said(events, lines)).not.toContain('agree')
})

test('an answer that broke off is an estimate, and the difference is shown', () => {
  const estimated = {
    usageSource: 'estimated' as const,
    outputTokens: 24,
    usageBounds: { inputTokens: [5, 60], outputTokens: [18, 83] } as const,
  }
  expect(
    said(
      [event('a', '0.01'), event('b', '0.000254', estimated)],
      [line('a', '0.01'), line('b', '0.000274', { isWhole: false })],
    ),
  ).toBe(`\
answers     calls  our ledger  their bill  difference
openai          1   $0.010000   $0.010000        none
broken off      1   $0.000254   $0.000274  -$0.000020
total           2   $0.010254   $0.010274  -$0.000020

All 1 whole answers agree to the last digit: $0.01.
Of the one that broke off the ledger can only estimate the output: 24 tokens,
between 18 and 83. The bill says 26.
The ledger and the provider's bill agree to the cent.
`)
})

test('an estimate that is a cent or more off is not called agreement', () => {
  const text = said([event('b', '0.02', { usageSource: 'estimated' })], [line('b', '0.01', { isWhole: false })])
  expect(text).toContain('more than a cent apart')
})
