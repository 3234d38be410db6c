// The SDKs as the benchmarks use them: one plain call each, and for openai a stream.

import type { SdkName } from '../src/patch/exchange.ts'
import { copyOf, packageOf } from './copies.ts'

/** Where a client sends its requests: a server, or a function that answers in its place. */
export interface Target {
  readonly baseURL?: string
  readonly fetch?: typeof fetch
}

export interface Opened {
  /** The module, to be patched. */
  readonly module: unknown
  /** One call, read to its end; gives the tokens that the answer reports. */
  call(): Promise<number | undefined>
}

export interface Sdk {
  readonly sdk: SdkName
  readonly title: string
  /** A copy of the SDK of its own, and a client of it. */
  open(copy: string, target: Target): Promise<Opened>
}

const MESSAGES = [
  { role: 'system' as const, content: 'You are an oceanographer. Answer in short sentences.' },
  { role: 'user' as const, content: 'How deep is the sea, on average and at its deepest?' },
]
export const CHAT_REQUEST = { model: 'gpt-4o', messages: MESSAGES, max_tokens: 200, temperature: 0.2 }

export type OpenAIModule = typeof import('openai')

export function openai(app: '.' | 'next'): Sdk {
  return {
    sdk: 'openai',
    title: `openai ${packageOf(app, 'openai').version}`,
    async open(copy, target) {
      const module = await copyOf<OpenAIModule>(app, 'openai', copy)
      const client = new module.OpenAI({ apiKey: 'any', ...target })
      return {
        module,
        call: async () => (await client.chat.completions.create(CHAT_REQUEST)).usage?.total_tokens,
      }
    },
  }
}

export const anthropic: Sdk = {
  sdk: 'anthropic',
  title: `@anthropic-ai/sdk ${packageOf('.', '@anthropic-ai/sdk').version}`,
  async open(copy, target) {
    const module = await copyOf<typeof import('@anthropic-ai/sdk')>('.', '@anthropic-ai/sdk', copy)
    const client = new module.Anthropic({ apiKey: 'any', ...target })
    const [system, user] = MESSAGES
    const request = {
      model: 'claude-sonnet-5',
      max_tokens: 200,
      system: system!.content,
      messages: [{ role: 'user' as const, content: user!.content }],
    }
    return { module, call: async () => (await client.messages.create(request)).usage.output_tokens }
  },
}

export const genai: Sdk = {
  sdk: 'google',
  title: `@google/genai ${packageOf('.', '@google/genai').version}`,
  async open(copy, { baseURL }) {
    const module = await copyOf<typeof import('@google/genai')>('.', '@google/genai', copy)
    const client = new module.GoogleGenAI({ apiKey: 'any', ...(baseURL && { httpOptions: { baseUrl: baseURL } }) })
    const request = {
      model: 'gemini-2.5-flash',
      contents: MESSAGES[1]!.content,
      config: { maxOutputTokens: 200, temperature: 0.2 },
    }
    return {
      module,
      call: async () => (await client.models.generateContent(request)).usageMetadata?.totalTokenCount,
    }
  },
}
