// One process, a thousand calls at once, random costs: how much of a limit is used, passed and refused, by its mode.

import OpenAI from 'openai'
import { type Limit, LimitExceededError, Meter } from '../src/index.ts'
import { formatUsd, parseUsd } from '../src/money.ts'
import { memorySink } from '../src/sinks/memory.ts'
import { report } from './report.ts'

const AT_ONCE = 1000
/** gpt-4o: $2.50 and $10 a million. */
const PROMPT_TOKENS = 200

interface Scene {
  readonly mode: NonNullable<Limit['mode']>
  readonly usd: string
  /** `max_tokens` of the requests. */
  readonly cap: number | undefined
  readonly seconds: number
}

export async function oneProcess(isFull: boolean): Promise<void> {
  const seconds = isFull ? 60 : 12
  const scenes: Scene[] = [
    { mode: 'hard', usd: '1', cap: 1000, seconds },
    { mode: 'clamp', usd: '1', cap: 1000, seconds },
    { mode: 'expected', usd: '1', cap: 1000, seconds },
    { mode: 'expected', usd: '1', cap: undefined, seconds },
    { mode: 'expected', usd: '50', cap: undefined, seconds: isFull ? 90 : 20 },
    { mode: 'hard', usd: '1', cap: undefined, seconds },
    { mode: 'hard', usd: '50', cap: undefined, seconds: isFull ? 90 : 20 },
    { mode: 'clamp', usd: '1', cap: undefined, seconds },
  ]
  const rows: string[][] = []
  for (const scene of scenes) rows.push(await play(scene))
  report({
    title: `one process with ${AT_ONCE} calls at once`,
    columns: ['mode', 'limit', 'cap', 'used', 'overshoot', 'calls', 'refused', 'false refusals', 'a cap would help'],
    rows,
    notes: [
      'Of the refusals: those with more left than the meter took such a call to come to as a rule; those that say that a cap would have helped.',
    ],
  })
}

/** Long answers are seldom: the logarithm of the length is normal, 250 tokens in the middle, 1100 the 95th of 100. */
function lengthOfAnswer(): number {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
  return Math.max(1, Math.min(16_000, Math.round(250 * Math.exp(0.9 * normal))))
}

async function play({ mode, usd, cap, seconds }: Scene): Promise<string[]> {
  const meter = new Meter({ sinks: [memorySink()], spool: false, onProblem: () => undefined })
  const openai = meter.wrap(new OpenAI({ apiKey: 'key', baseURL: 'https://api.openai.com/v1', fetch: answer }))
  const message = { role: 'user' as const, content: 'word '.repeat(PROMPT_TOKENS - 8) }
  const request = { model: 'gpt-4o', messages: [message], ...(cap !== undefined && { max_tokens: cap }) }
  let spent = 0n
  const counts = { calls: 0, refused: 0, hinted: 0 }

  async function answer(_: unknown, init?: RequestInit): Promise<Response> {
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 100))
    const asked = JSON.parse(init?.body as string) as { max_tokens?: number; max_completion_tokens?: number }
    const completion_tokens = Math.min(lengthOfAnswer(), asked.max_completion_tokens ?? asked.max_tokens ?? 16_384)
    const cost = BigInt(PROMPT_TOKENS) * 2_500_000n + BigInt(completion_tokens) * 10_000_000n
    spent += cost
    const usage = { prompt_tokens: PROMPT_TOKENS, completion_tokens, total_tokens: PROMPT_TOKENS + completion_tokens }
    return Response.json({ id: 'id', object: 'chat.completion', created: 0, model: 'gpt-4o', choices: [], usage })
  }

  async function work(until: number): Promise<void> {
    while (performance.now() < until && !isOver) {
      try {
        await meter.forTenant('acme', () => openai.chat.completions.create(request))
        counts.calls++
      } catch (error) {
        const refusal = LimitExceededError.from(error)
        if (!refusal) throw error
        counts.refused++
        if (refusal.wouldPassWithCap) counts.hinted++
        // Nothing is in flight that could give anything back.
        if (refusal.heldUsd === '0') isOver = true
        await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 400))
      }
    }
  }

  let isOver = false
  await meter.setLimit('acme', { usd, per: 'total', mode })
  const until = performance.now() + seconds * 1000
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(until)))
  const { falseRefusals } = meter.stats().limits
  await meter.close()
  const limit = parseUsd(usd)!
  const percent = (part: bigint) => `${((Number(part) / Number(limit)) * 100).toFixed(1)} %`
  return [
    mode,
    `$${usd}`,
    cap === undefined ? 'none' : String(cap),
    percent(spent < limit ? spent : limit),
    spent > limit ? `$${formatUsd(spent - limit)} (${percent(spent - limit)})` : '$0',
    String(counts.calls),
    String(counts.refused),
    String(falseRefusals),
    String(counts.hinted),
  ]
}
