// What it takes to say, before a call is made, what it can cost at most: without a tokenizer, and with one.

import { type EstimateInput, estimateCost } from '../src/call/estimate.ts'
import { createExperience } from '../src/call/experience.ts'
import { loadPriceBook } from '../src/pricing/price-book.ts'
import { anthropic } from '../src/providers/anthropic.ts'
import { google } from '../src/providers/google.ts'
import { openai } from '../src/providers/openai.ts'
import type { Json, Provider } from '../src/providers/provider.ts'
import { TEXT } from './answers.ts'
import { isQuick, report } from './report.ts'
import { quantile } from './statistics.ts'

const TIMES = isQuick ? 2000 : 20_000
const BATCH = 10

const book = await loadPriceBook()
const experience = createExperience()
for (let call = 0; call < 100; call++)
  for (const [endpoint, model] of [
    ['chat.completions', 'gpt-4o'],
    ['messages', 'claude-sonnet-5'],
    ['generateContent', 'gemini-2.5-flash'],
  ] as const)
    experience.learn({ tenantId: 'acme', endpoint, model, outputTokens: 300, cost: 5_000_000_000n })

/** Some 4 kB: a system prompt, a conversation, a tool. */
const turns = Array.from({ length: 9 }, (_, at) => ({ role: at % 2 ? 'assistant' : 'user', content: TEXT }))
const schema = { type: 'object', properties: { city: { type: 'string', description: 'Where.' } }, required: ['city'] }
const chat = {
  ...{ model: 'gpt-4o', max_completion_tokens: 1000 },
  messages: [{ role: 'system', content: TEXT }, ...turns],
  tools: [{ type: 'function', function: { name: 'weather', description: 'Says the weather.', parameters: schema } }],
}
const message = {
  ...{ model: 'claude-sonnet-5', max_tokens: 1000, system: TEXT, messages: turns },
  tools: [{ name: 'weather', description: 'Says the weather.', input_schema: schema }],
}
const content = {
  contents: turns.map(({ role, content: text }) => ({ role: role === 'user' ? role : 'model', parts: [{ text }] })),
  systemInstruction: { parts: [{ text: TEXT }] },
  generationConfig: { maxOutputTokens: 1000 },
}

function inputOf(provider: Provider, endpoint: string, path: string, sent: Json | string): EstimateInput {
  const route = provider.routes.find((one) => one.endpoint === endpoint)!
  const body = (): Json => (typeof sent === 'string' ? (JSON.parse(sent) as Json) : sent)
  const facts = route.request(body(), path, false)
  return {
    ...{ provider: provider.name, host: 'api.example.com', tenantId: 'acme', endpoint, isTextless: false },
    ...{ at: Date.now(), facts, body, prompt: (known = body()) => route.prompt(known) },
  }
}

const GEMINI = '/v1beta/models/gemini-2.5-flash:generateContent'
const requests = [
  ['a chat of OpenAI', inputOf(openai, 'chat.completions', '/v1/chat/completions', chat), chat],
  [
    'a chat of OpenAI, as text',
    inputOf(openai, 'chat.completions', '/v1/chat/completions', JSON.stringify(chat)),
    chat,
  ],
  ['a message of Claude', inputOf(anthropic, 'messages', '/v1/messages', message), message],
  ['content for Gemini', inputOf(google, 'generateContent', GEMINI, content), content],
] as const

const rows: string[][] = []
for (const [name, input, body] of requests) {
  const times = new Float64Array(TIMES)
  for (let at = 0; at < TIMES; at++) {
    const start = performance.now()
    for (let call = 0; call < BATCH; call++) estimateCost(book, experience, input)
    times[at] = ((performance.now() - start) * 1000) / BATCH
  }
  const { tighten } = estimateCost(book, experience, input)!
  let close = 'no encoding is published'
  if (tighten) {
    await tighten()
    const closer: number[] = []
    for (let at = 0; at < 50; at++) {
      const start = performance.now()
      await tighten()
      closer.push((performance.now() - start) * 1000)
    }
    close = quantile(closer, 0.5).toFixed(0)
  }
  const size = JSON.stringify(body).length
  rows.push([name, `${size}`, quantile(times, 0.5).toFixed(2), quantile(times, 0.99).toFixed(2), close])
}

report({
  title: 'The ceiling of a call (us)',
  columns: ['request', 'bytes', 'p50', 'p99', 'closer, with its tokens counted'],
  rows,
  notes: [
    `${TIMES} batches of ${BATCH}; the request walked, its bytes counted, priced twice: the ceiling and what is expected.`,
    'The closer one is asked for only where the first would be refused.',
  ],
})
