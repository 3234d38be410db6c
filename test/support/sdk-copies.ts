// The SDKs that the journeys call, in each of the versions here: how a call is made, whole and streamed, and what it gave.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import type { Meter } from 'tallygate'

/** Another copy of an SDK, typed as the root's: the tests use only what the majors share. */
async function from<T>(app: string, name: string, main: string): Promise<T> {
  const require = createRequire(new URL(`../apps/${app}/package.json`, import.meta.url))
  const file = require.resolve(name).replace(/[^/]+$/, main)
  return (await import(pathToFileURL(file).href)) as T
}

const nextOpenAI = await from<typeof import('openai')>('next', 'openai', 'index.mjs')
const currentAnthropic = await from<typeof import('@anthropic-ai/sdk')>('current', '@anthropic-ai/sdk', 'index.mjs')
const nextGoogle = await from<typeof import('@google/genai')>('next', '@google/genai', 'index.mjs')

/** Where a call goes to; `baseURL` as the emulator of that provider gives it. */
export interface Target {
  readonly baseURL: string
  readonly apiKey?: string
  readonly signal?: AbortSignal
  /** What is asked; default: a question. */
  readonly prompt?: string
}

export interface SdkCopy {
  readonly name: string
  readonly provider: 'openai' | 'anthropic' | 'google'
  patch(meter: Meter): void
  /** The value that the caller's own code gets. */
  call(target: Target): Promise<unknown>
  /** Every chunk goes to `take` before the next is asked for. */
  stream(target: Target, take: (chunk: unknown) => void): Promise<void>
}

const QUESTION = 'How deep is the sea?'
/** These SDKs log what they cannot parse, the text with it. */
const quiet = { maxRetries: 0, logLevel: 'off' } as const

function openai(version: string, Client: typeof OpenAI): SdkCopy {
  const client = ({ baseURL, apiKey = 'any' }: Target) => new Client({ baseURL, apiKey, ...quiet })
  const body = ({ prompt = QUESTION }: Target) => ({
    model: 'gpt-4o',
    messages: [{ role: 'user' as const, content: prompt }],
  })
  const options = ({ signal }: Target) => (signal ? { signal } : {})
  return {
    name: `openai ${version}`,
    provider: 'openai',
    patch: (meter) => void meter.patch('openai', { modules: [Client] }),
    call: (target) => client(target).chat.completions.create(body(target), options(target)),
    async stream(target, take) {
      const made = client(target).chat.completions.create({ ...body(target), stream: true }, options(target))
      for await (const chunk of await made) take(chunk)
    },
  }
}

function anthropic(version: string, Client: typeof Anthropic): SdkCopy {
  const client = ({ baseURL, apiKey = 'any' }: Target) => new Client({ baseURL, apiKey, ...quiet })
  const body = ({ prompt = QUESTION }: Target) => ({
    model: 'claude-sonnet-4-6',
    max_tokens: 1000,
    messages: [{ role: 'user' as const, content: prompt }],
  })
  const options = ({ signal }: Target) => (signal ? { signal } : {})
  return {
    name: `@anthropic-ai/sdk ${version}`,
    provider: 'anthropic',
    patch: (meter) => void meter.patch('anthropic', { modules: [Client] }),
    call: (target) => client(target).messages.create(body(target), options(target)),
    async stream(target, take) {
      const made = client(target).messages.create({ ...body(target), stream: true }, options(target))
      for await (const chunk of await made) take(chunk)
    },
  }
}

function google(version: string, Client: typeof GoogleGenAI): SdkCopy {
  const client = ({ baseURL, apiKey = 'any' }: Target) =>
    new Client({ apiKey, vertexai: false, httpOptions: { baseUrl: baseURL } })
  const params = ({ prompt = QUESTION, signal }: Target) => ({
    model: 'gemini-2.5-flash',
    contents: prompt,
    ...(signal && { config: { abortSignal: signal } }),
  })
  return {
    name: `@google/genai ${version}`,
    provider: 'google',
    patch: (meter) => void meter.patch('google', { modules: [Client] }),
    call: (target) => client(target).models.generateContent(params(target)),
    async stream(target, take) {
      for await (const chunk of await client(target).models.generateContentStream(params(target))) take(chunk)
    },
  }
}

export const SDK_COPIES: readonly SdkCopy[] = [
  openai('6.49', OpenAI),
  openai('7.57', nextOpenAI.default),
  anthropic('0.137', currentAnthropic.default),
  anthropic('1.12', Anthropic),
  google('2.32', GoogleGenAI),
  google('3.1', nextGoogle.GoogleGenAI),
]
