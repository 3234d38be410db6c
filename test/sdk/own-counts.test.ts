// The options `audit` and `contentHash`, through the real SDKs: counts and hashes on the events, and never a word of text.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import { startEmulator } from '../../src/emulator/index.ts'
import type { LLMEvent } from '../../src/event.ts'
import { Meter, type MeterOptions, type Problem } from '../../src/index.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { countTokens } from '../../src/providers/count-tokens.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import { temporaryFolder } from '../support/ingest.ts'

async function metered(options: MeterOptions) {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const emulator = await startEmulator()
  const sink = memorySink()
  const problems: Problem[] = []
  const onProblem = (problem: Problem) => void problems.push(problem)
  const dir = join(folder.path, 'ledger')
  const meter = new Meter({
    sinks: [sink],
    dir,
    hosts: emulator.hosts,
    onProblem,
    onMissingTenant: 'record',
    ...options,
  })
  meter.patch('openai', { modules: [OpenAI] })
  meter.patch('anthropic', { modules: [Anthropic] })
  return {
    meter,
    emulator,
    problems,
    dir,
    openai: new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'key' }),
    anthropic: new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'key' }),
    async events(): Promise<readonly LLMEvent[]> {
      await meter.flush()
      return sink.events
    },
    async [Symbol.asyncDispose]() {
      await meter.close()
      await emulator.close()
    },
  }
}

type Metered = Awaited<ReturnType<typeof metered>>

const PROMPT = 'A question about the harbor that nobody may keep'
const messages = [
  { role: 'system' as const, content: 'You know harbors.' },
  { role: 'user' as const, content: PROMPT },
]

const ways: Record<string, (made: Metered) => Promise<string>> = {
  'a chat call': async ({ openai }) =>
    (await openai.chat.completions.create({ model: 'gpt-4o', messages })).choices[0]!.message.content!,
  'a chat stream': async ({ openai }) => {
    let text = ''
    for await (const chunk of await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    return text
  },
  'a response': async ({ openai }) => (await openai.responses.create({ model: 'gpt-4o', input: PROMPT })).output_text,
  'a message': async ({ anthropic }) => {
    const message = await anthropic.messages.create({
      model: 'claude-sonnet-4-6',
      max_tokens: 500,
      messages: [{ role: 'user', content: PROMPT }],
    })
    return message.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  },
}

describe.each(Object.entries(ways))('the output of %s', (name, call) => {
  test('is counted, and what was said is nowhere on the event', async () => {
    await using made = await metered({ audit: 'output', contentHash: true })
    const text = await call(made)
    const [event] = await made.events()
    const isOpenAI = event!.provider === 'openai'
    const fingerprint = `js-tiktoken@1.0.21/o200k_base${isOpenAI ? '' : ':stands-in'}`
    const { tokens } = await countTokens([text], 'gpt-4o')
    expect(event).toMatchObject({ countedOutputTokens: tokens, outputTokenizer: fingerprint })
    expect(event!.outputHash).toMatch(/^[0-9a-f]{24}$/)
    expect(event!.inputHashes).toHaveLength(name.startsWith('a chat') ? 2 : 1)
    expect(JSON.stringify(event)).not.toMatch(/harbor/)
    expect(made.problems).toEqual([])
  })

  test('is not counted unless it was asked for', async () => {
    await using made = await metered({})
    await call(made)
    const [event] = await made.events()
    expect(Object.keys(event!).filter((field) => /count.*Output|Tokenizer|Hash/.test(field))).toEqual([])
  })
})

test('the count of a ledger without text is exact in an audit, and shows what is beside it', async () => {
  await using made = await metered({ audit: 'output' })
  // The emulator counts in a way of its own: its count is beside that of the encoding.
  made.emulator.reply({ text: 'An extraordinarily internationalized interdependence', outputTokens: 90 })
  await ways['a chat call']!(made)
  const auditing = createAudit({ book: await loadPriceBook() })
  for (const event of await made.events()) await auditing.add({ event })
  const { figures, findings } = auditing.report()
  expect(figures.map(({ figure, label }) => `${figure} ${label}`)).toContain('output EXACT')
  expect(findings).toEqual([expect.objectContaining({ kind: 'output-above', billed: 90, calls: 1 })])
})

test('the salt is one for the processes of a folder, and nobody else may read it', async () => {
  await using one = await metered({ contentHash: true })
  const text = await ways['a chat call']!(one)
  const [event] = await one.events()
  const path = join(one.dir, 'content-salt')
  expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{32}$/)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  // Two meters of one process stand in each other's way.
  await one.meter.close()
  for (const [dir, isSame] of [
    [one.dir, true],
    [undefined, false],
  ] as const) {
    await using other = await metered({ contentHash: true, ...(dir !== undefined && { dir }) })
    other.emulator.reply({ text })
    await ways['a chat call']!(other)
    const [again] = await other.events()
    expect(again!.outputHash === event!.outputHash).toBe(isSame)
    expect(String(again!.inputHashes) === String(event!.inputHashes)).toBe(isSame)
  }
})

test('a call that broke off or failed has no count, and one that calls a tool is marked', async () => {
  await using made = await metered({ audit: 'output' })
  made.emulator.reply({ status: 400 })
  await ways['a chat call']!(made).catch(() => undefined)
  const stream = await made.openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true })
  for await (const _ of stream) break
  const tools = [
    { type: 'function' as const, function: { name: 'look', parameters: { type: 'object', properties: {} } } },
  ]
  made.emulator.reply({ toolCalls: [{ name: 'look', args: {} }], text: 'I look.' })
  await made.openai.chat.completions.create({ model: 'gpt-4o', messages, tools })
  const events = await made.events()
  expect(events.slice(0, -1).map(({ countedOutputTokens }) => countedOutputTokens)).toEqual(
    events.slice(0, -1).map(() => undefined),
  )
  expect(events.at(-1)!.outputTokenizer).toBe('js-tiktoken@1.0.21/o200k_base+more')
})

test('a salt that cannot be kept is told of, and the call is recorded without it', async () => {
  // A folder cannot be made where a file is.
  await using made = await metered({ contentHash: true, dir: import.meta.filename, spool: false })
  await ways['a chat call']!(made)
  const [event] = await made.events()
  expect(event!.outputTokens).toBeGreaterThan(0)
  expect(event!.outputHash).toBeUndefined()
  expect(made.problems.map(({ message }) => message)).toContain('A call could not be recorded in full.')
})
