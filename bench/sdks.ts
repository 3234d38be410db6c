// The SDKs as the benchmarks use them: one plain call each, and for openai a stream.

import type { SdkName } from '../src/patch/exchange.ts'
import { type App, load, versionOf } from './copies.ts'

/** Where a client sends its requests: a server, or a function that answers in its place. */
export interface Target {
  readonly baseURL?: string
  readonly fetch?: typeof fetch
}

export interface Opened {
  /** The module, to be patched. */
  readonly module: unknown
  /** One call, read to its end. */
  call(): Promise<unknown>
}

export interface Sdk {
  readonly sdk: SdkName
  readonly title: string
  open(target: Target): Promise<Opened>
}

const SYSTEM = 'You are an oceanographer. Answer in short sentences.'
const QUESTION = 'How deep is the sea, on average and at its deepest?'
const CHAT = {
  model: 'gpt-4o',
  messages: [
    { role: 'system' as const, content: SYSTEM },
    { role: 'user' as const, content: QUESTION },
  ],
  max_tokens: 200,
  temperature: 0.2,
}

async function openaiClient(app: App, target: Target) {
  const module = await load<typeof import('openai')>(app, 'openai')
  return { module, client: new module.OpenAI({ apiKey: 'any', ...target }) }
}

export function openai(app: App): Sdk {
  return {
    sdk: 'openai',
    title: `openai ${versionOf(app, 'openai')}`,
    async open(target) {
      const { module, client } = await openaiClient(app, target)
      return { module, call: () => client.chat.completions.create(CHAT) }
    },
  }
}

/** A streamed call; `asksForUsage` is the caller's own `include_usage`. */
export async function openaiStream(app: App, target: Target, asksForUsage: boolean) {
  const { module, client } = await openaiClient(app, target)
  const request = { ...CHAT, stream: true as const, ...(asksForUsage && { stream_options: { include_usage: true } }) }
  return { module, call: () => client.chat.completions.create(request) }
}

export const anthropic: Sdk = {
  sdk: 'anthropic',
  title: `@anthropic-ai/sdk ${versionOf('.', '@anthropic-ai/sdk')}`,
  async open(target) {
    const module = await load<typeof import('@anthropic-ai/sdk')>('.', '@anthropic-ai/sdk')
    const client = new module.Anthropic({ apiKey: 'any', ...target })
    const messages = [{ role: 'user' as const, content: QUESTION }]
    const request = { model: 'claude-sonnet-5', max_tokens: 200, system: SYSTEM, messages }
    return { module, call: () => client.messages.create(request) }
  },
}

export const genai: Sdk = {
  sdk: 'google',
  title: `@google/genai ${versionOf('.', '@google/genai')}`,
  async open({ baseURL, fetch: stub }) {
    const module = await load<typeof import('@google/genai')>('.', '@google/genai')
    // It takes no `fetch` of its own.
    if (stub) globalThis.fetch = stub
    const client = new module.GoogleGenAI({ apiKey: 'any', ...(baseURL && { httpOptions: { baseUrl: baseURL } }) })
    const request = {
      model: 'gemini-2.5-flash',
      contents: QUESTION,
      config: { systemInstruction: SYSTEM, maxOutputTokens: 200, temperature: 0.2 },
    }
    return { module, call: () => client.models.generateContent(request) }
  },
}
