// The models that people call today and those that stand in their logs, under the names of providers on our events.

import { beforeAll, describe, expect, it } from 'vitest'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { DIALECTS, PROVIDERS } from '../../src/providers/index.ts'
import type { Usage } from '../../src/usage.ts'

const AT = Date.UTC(2026, 10, 18, 12)

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

const CHAT: Usage = { 'input.text': 1000, 'output.text': 100 }

/** Called as a chat, and priced in their own right. */
const MODELS: Readonly<Record<string, readonly string[]>> = {
  openai: [
    'gpt-6-sol gpt-6-luna gpt-6-astra gpt-5.6 gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna gpt-5.5 gpt-5.4 gpt-5.2 gpt-5.1',
    'gpt-5 gpt-5-mini gpt-5-nano gpt-5-chat-latest gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-2024-05-13',
    'gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18 chatgpt-4o-latest gpt-4-turbo',
    'gpt-4-turbo-2024-04-09 gpt-4 gpt-4-0613 gpt-4-32k gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-1106',
    'gpt-3.5-turbo-instruct o1 o1-mini o1-preview o1-pro o3 o3-mini o3-pro o4-mini gpt-audio',
  ],
  anthropic: [
    'claude-fable-5-1 claude-fable-5 claude-opus-5-5 claude-opus-5 claude-opus-4-8 claude-opus-4-7 claude-opus-4-6',
    'claude-opus-4-5 claude-opus-4-5-20251101 claude-opus-4-1 claude-opus-4-1-20250805 claude-opus-4-20250514',
    'claude-sonnet-5-5 claude-sonnet-5 claude-sonnet-4-6 claude-sonnet-4-5 claude-sonnet-4-5-20250929',
    'claude-sonnet-4-20250514 claude-haiku-5-5 claude-haiku-4-5 claude-haiku-4-5-20251001',
    'claude-3-7-sonnet-20250219 claude-3-5-sonnet-20241022 claude-3-5-sonnet-20240620 claude-3-5-haiku-20241022',
    'claude-3-opus-20240229 claude-3-sonnet-20240229 claude-3-haiku-20240307',
  ],
  google: [
    'gemini-4-argon gemini-3.8-flash gemini-3.6-flash gemini-3.1-pro-preview gemini-3.1-flash-lite',
    'gemini-3-flash-preview gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-2.0-flash',
    'gemini-2.0-flash-001 gemini-2.0-flash-lite gemini-1.5-pro gemini-1.5-pro-002 gemini-1.5-flash',
    'gemini-1.5-flash-002 gemini-1.5-flash-8b claude-opus-5-5 claude-sonnet-4-5@20250929',
  ],
  deepseek: ['deepseek-v4-pro deepseek-v4-flash deepseek-chat deepseek-reasoner'],
  mistral: [
    'mistral-large-2512 mistral-large-latest mistral-medium-2508 mistral-medium-latest mistral-small-latest',
    'codestral-latest ministral-8b-2512 pixtral-large-2411',
  ],
  groq: ['openai/gpt-oss-120b openai/gpt-oss-20b llama-3.3-70b-versatile llama-3.1-8b-instant'],
  'x-ai': ['grok-4.6 grok-4 grok-4-0709 grok-3 grok-3-mini grok-code-fast-1'],
  cohere: ['command-a-03-2025 command-r-plus-08-2024 command-r-08-2024 command-r7b-12-2024'],
  openrouter: ['openai/gpt-5.6-sol anthropic/claude-opus-4.8 google/gemini-2.5-pro deepseek/deepseek-chat-v3.1'],
  aws: [
    'us.anthropic.claude-opus-5 global.anthropic.claude-opus-4-5-20251101-v1:0 amazon.nova-pro-v1:0',
    'us.anthropic.claude-sonnet-4-5-20250929-v1:0 anthropic.claude-3-haiku-20240307-v1:0 amazon.nova-lite-v1:0',
    'anthropic.claude-3-5-sonnet-20241022-v2:0',
  ],
  perplexity: ['sonar sonar-pro'],
}

/** Sold at the maker's price where it has no row of its own: either way there is a cost. */
const AT_THE_MAKER: Readonly<Record<string, readonly string[]>> = {
  azure: [
    'gpt-4o gpt-4o-2024-08-06 gpt-4o-mini gpt-4.1 gpt-5 gpt-5-mini gpt-3.5-turbo o3 o4-mini grok-4.6 claude-opus-5',
  ],
}

const listOf = (models: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(models).flatMap(([provider, lines]) =>
    lines.flatMap((line) => line.split(' ').map((model) => [provider, model] as const)),
  )

it.each(listOf(MODELS))('%s %s has a price of its own', (provider, model) => {
  const cost = book.price(CHAT, { provider, model, at: AT })
  expect(book.why(CHAT, { provider, model, at: AT })).toBeUndefined()
  expect(cost?.source).toBe('priced')
  expect(cost!.pico > 0n).toBe(true)
})

it.each(listOf(AT_THE_MAKER))('%s %s has a price, its own or the maker’s', (provider, model) => {
  const cost = book.price(CHAT, { provider, model, at: AT })
  expect(cost?.lines.length).toBe(2)
})

/** Each in what it is billed by. */
it.each<[string, string, Usage]>([
  ['openai', 'text-embedding-3-small', { 'input.text': 10 }],
  ['openai', 'text-embedding-3-large', { 'input.text': 10 }],
  ['openai', 'text-embedding-ada-002', { 'input.text': 10 }],
  ['openai', 'whisper-1', { 'unit.input_seconds': 10 }],
  ['openai', 'tts-1', { 'unit.input_characters': 10 }],
  ['openai', 'tts-1-hd', { 'unit.input_characters': 10 }],
  ['openai', 'gpt-image-1', { 'input.text': 10, 'output.image': 10 }],
  ['openai', 'gpt-4o-transcribe', { 'input.audio': 10, 'output.text': 10 }],
  ['openai', 'gpt-realtime-2.1', { 'input.audio': 10, 'output.audio': 10 }],
  ['google', 'gemini-2.5-flash-image', { 'input.text': 10, 'output.image': 10 }],
  ['mistral', 'mistral-ocr-latest', { 'unit.input_pages': 10 }],
  ['groq', 'whisper-large-v3', { 'unit.input_seconds': 10 }],
])('%s %s is priced by %o', (provider, model, usage) => {
  expect(book.why(usage, { provider, model, at: AT })).toBeUndefined()
})

describe('the providers of events', () => {
  /** They run on machines of one's own: there is no price to know. */
  // Gateways whose charge is in no answer.
  const WITHOUT_PRICES = ['ollama', 'vercel', 'huggingface', 'github']

  it.each([...new Set([...PROVIDERS, ...DIALECTS].map(({ name }) => name))])('%s is one of the book', (name) => {
    const gap = book.why(CHAT, { provider: name, model: 'no-such-model', at: AT })
    expect(gap?.reason).toBe(WITHOUT_PRICES.includes(name) ? 'unknown-provider' : 'unknown-model')
  })
})
