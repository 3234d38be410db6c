// The SDKs as the application in the working directory has them, each asked for the same two things: an answer, and a stream.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Emulator } from '../emulator/index.ts'

export interface Question {
  readonly prompt: string
  readonly maxTokens: number
}

/** A client of one SDK, pointed at the emulator. */
export interface Assistant {
  readonly title: string
  /** An answer of about two cents. */
  readonly longAnswerTokens: number
  ask(question: Question): Promise<unknown>
  /** The pieces of the answer as they come. */
  stream(question: Question): Promise<AsyncIterable<string>>
}

export interface Sdk {
  readonly sdk: 'openai' | 'anthropic' | 'google'
  readonly packageName: string
  /** Makes a client out of what `require` gave. */
  connect(loaded: unknown, emulator: Emulator): Assistant
}

export const SDKS: readonly Sdk[] = [
  { sdk: 'openai', packageName: 'openai', connect: openai },
  { sdk: 'anthropic', packageName: '@anthropic-ai/sdk', connect: anthropic },
  { sdk: 'google', packageName: '@google/genai', connect: google },
]

export type Loading = { readonly loaded: unknown } | { readonly reason: string }

/** From the working directory, and else from beside this package: `npm install -g tallygate openai` has it there. */
export function load({ packageName }: Sdk): Loading {
  const froms = [join(process.cwd(), 'index.js'), import.meta.url]
  for (const from of froms) {
    const require = createRequire(from)
    try {
      require.resolve(packageName)
    } catch {
      continue
    }
    try {
      return { loaded: require(packageName) as unknown }
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException
      return { reason: `${packageName} does not load on Node ${process.versions.node} (${code ?? name}).` }
    }
  }
  return { reason: `${packageName} is not here: \`npm install ${packageName}\` adds it.` }
}

/** Asked again at once: the pause between attempts is the emulator's to name. */
const MAX_RETRIES = 2

function openai(loaded: unknown, { openai: { baseURL } }: Emulator): Assistant {
  const { OpenAI } = loaded as typeof import('openai')
  const client = new OpenAI({ baseURL, apiKey: 'demo', maxRetries: MAX_RETRIES })
  const model = 'gpt-6-sol'
  const bodyOf = ({ prompt, maxTokens }: Question) => ({
    model,
    messages: [{ role: 'user' as const, content: prompt }],
    max_completion_tokens: maxTokens,
  })
  return {
    title: 'OpenAI',
    longAnswerTokens: 1800,
    ask: (question) => client.chat.completions.create(bodyOf(question)),
    stream: async (question) => {
      const chunks = await client.chat.completions.create({ ...bodyOf(question), stream: true })
      return textsOf(chunks, ({ choices }) => choices[0]?.delta.content)
    },
  }
}

function anthropic(loaded: unknown, { anthropic: { baseURL } }: Emulator): Assistant {
  const { Anthropic } = loaded as typeof import('@anthropic-ai/sdk')
  const client = new Anthropic({ baseURL, apiKey: 'demo', maxRetries: MAX_RETRIES })
  const model = 'claude-sonnet-5-5'
  const bodyOf = ({ prompt, maxTokens }: Question) => ({
    model,
    messages: [{ role: 'user' as const, content: prompt }],
    max_tokens: maxTokens,
  })
  return {
    title: 'Claude',
    longAnswerTokens: 1800,
    ask: (question) => client.messages.create(bodyOf(question)),
    stream: async (question) => {
      const events = await client.messages.create({ ...bodyOf(question), stream: true })
      return textsOf(events, (event) =>
        event.type === 'content_block_delta' && event.delta.type === 'text_delta' ? event.delta.text : undefined,
      )
    },
  }
}

function google(loaded: unknown, { google: { baseURL } }: Emulator): Assistant {
  const { GoogleGenAI } = loaded as typeof import('@google/genai')
  const retryOptions = { attempts: MAX_RETRIES + 1, initialDelay: 0.02 }
  const client = new GoogleGenAI({ apiKey: 'demo', httpOptions: { baseUrl: baseURL, retryOptions } })
  const model = 'gemini-3.8-flash'
  const bodyOf = ({ prompt, maxTokens }: Question) => ({
    model,
    contents: prompt,
    config: { maxOutputTokens: maxTokens },
  })
  return {
    title: 'Gemini',
    longAnswerTokens: 4800,
    ask: (question) => client.models.generateContent(bodyOf(question)),
    stream: async (question) => {
      const chunks = await client.models.generateContentStream(bodyOf(question))
      return textsOf(chunks, ({ candidates }) => candidates?.[0]?.content?.parts?.[0]?.text)
    },
  }
}

async function* textsOf<Chunk>(
  chunks: AsyncIterable<Chunk>,
  textOf: (chunk: Chunk) => string | null | undefined,
): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    const text = textOf(chunk)
    if (text) yield text
  }
}
