// A ledger with a story in it: a few tenants and models over two months, the same each time.

import type { LLMEvent } from '../../src/event.ts'
import { formatUsd } from '../../src/money.ts'
import type { Ledger } from '../../src/sinks/ledger.ts'

const TENANTS = ['fjord-travel', 'harbor-books', 'lumen-health', 'atlas-freight', 'juniper-legal', 'northwind-labs']
const MODELS = [
  { provider: 'openai', model: 'gpt-5-mini', input: 250_000n, output: 2_000_000n },
  { provider: 'openai', model: 'gpt-5', input: 1_250_000n, output: 10_000_000n },
  { provider: 'anthropic', model: 'claude-sonnet-4-5', input: 3_000_000n, output: 15_000_000n },
  { provider: 'google', model: 'gemini-2.5-flash', input: 300_000n, output: 2_500_000n },
] as const
const FEATURES = ['search', 'summaries', 'chat', 'drafts', undefined]
const DAY = 86_400_000

/** A sequence that looks like chance and is not. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % sides
  }
}

export function storyOf(count: number, until: number, days = 50): LLMEvent[] {
  const roll = dice(7)
  return Array.from({ length: count }, (_, i) => {
    const tenantId = TENANTS[Math.min(roll(TENANTS.length), roll(TENANTS.length))]!
    const { provider, model, input, output } = MODELS[Math.min(roll(4), roll(4))]!
    const [inputTokens, outputTokens] = [200 + roll(6000), 40 + roll(1500)]
    const cached = roll(3) === 0 ? Math.floor(inputTokens / 2) : 0
    const isUnpriced = roll(90) === 0
    const hasFailed = roll(40) === 0
    const feature = FEATURES[roll(FEATURES.length)]
    const lines = [
      {
        bucket: 'input.text',
        quantity: inputTokens,
        costUsd: formatUsd(BigInt(inputTokens) * input),
        rate: `${provider}/${model}`,
      },
      {
        bucket: 'output.text',
        quantity: outputTokens,
        costUsd: formatUsd(BigInt(outputTokens) * output),
        rate: `${provider}/${model}`,
      },
    ]
    const cost = formatUsd(BigInt(inputTokens) * input + BigInt(outputTokens) * output)
    const at = until - 1000 - Math.floor(((count - i) * days * DAY) / (count + 1)) - roll(3_600_000)
    return {
      eventId: `e-${String(i).padStart(6, '0')}`,
      timestamp: new Date(at).toISOString(),
      tenantId,
      userId: `user-${roll(40)}`,
      sessionId: `session-${roll(200)}`,
      ...(feature && { feature }),
      tags: { plan: roll(2) ? 'pro' : 'free' },
      provider,
      host: `api.${provider}.com`,
      model: isUnpriced ? 'house-model-7b' : model,
      endpoint: provider === 'anthropic' ? 'messages' : 'responses',
      usageSource: roll(30) === 0 ? 'estimated' : 'reported',
      usage: { 'input.text': inputTokens, 'output.text': outputTokens },
      inputTokens,
      outputTokens,
      totalTokens: inputTokens + outputTokens,
      cachedTokens: cached,
      ...(isUnpriced
        ? { costSource: 'unpriced' }
        : { costUsd: cost, costSource: 'priced', costLines: lines, priceVersion: '2026-11-20' }),
      durationMs: 300 + roll(9000),
      timeToFirstTokenMs: 100 + roll(900),
      requestId: `req_${i}`,
      ...(hasFailed && { error: 'http_529' }),
    } as LLMEvent
  })
}

export async function fill(ledger: Ledger, events: readonly LLMEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += 500)
    await ledger.send({ id: `b-${at}`, events: events.slice(at, at + 500) }, new AbortController().signal)
}
