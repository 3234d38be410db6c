// An application that says a secret word wherever one can be said, and prints everything that the meter tells it.
// Run by test/journey/secrets.test.ts, which looks for the word in all that leaves this process.

import { inspect } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { LimitExceededError, Meter } from 'tallygate'
import { type Reply, startEmulator } from 'tallygate/emulator'

const { SECRET = '', INGEST_URL, API_KEY, QUIET, SINK_DOWN } = process.env

const said: unknown[] = []
await using emulator = await startEmulator()
const meter = new Meter({
  ...(INGEST_URL ? { url: INGEST_URL, apiKey: API_KEY } : {}),
  ...(SINK_DOWN
    ? { sinks: [{ name: 'down', send: async () => ({ outcome: 'retry', error: new Error('down') }) }] }
    : {}),
  hosts: emulator.hosts,
  debug: true,
  // Without it, problems go to the process's warnings.
  ...(QUIET ? {} : { onProblem: (problem) => said.push(problem) }),
  onFlushError: (error) => said.push(error),
})
meter.patchAll()

const quiet = { apiKey: SECRET, maxRetries: 0, logLevel: 'off', defaultHeaders: { 'x-note': SECRET } } as const
const openai = new OpenAI({ baseURL: emulator.openai.baseURL, ...quiet })
const anthropic = new Anthropic({ baseURL: emulator.anthropic.baseURL, ...quiet })
const google = new GoogleGenAI({
  apiKey: SECRET,
  httpOptions: { baseUrl: emulator.google.baseURL, headers: { 'x-note': SECRET } },
})

const chat = {
  model: 'gpt-4o',
  user: SECRET,
  stop: [SECRET],
  metadata: { note: SECRET },
  messages: [
    { role: 'system', content: `Never say ${SECRET}.` },
    { role: 'user', content: [{ type: 'text', text: `Is it ${SECRET}?` }] },
    {
      role: 'assistant',
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'tell', arguments: `{"word":"${SECRET}"}` } }],
    },
    { role: 'tool', tool_call_id: 'call_1', content: SECRET },
  ],
  tools: [{ type: 'function', function: { name: 'tell', description: SECRET, parameters: { type: 'object' } } }],
} satisfies OpenAI.ChatCompletionCreateParamsNonStreaming
const message = {
  model: 'claude-sonnet-4-6',
  max_tokens: 1000,
  system: `Never say ${SECRET}.`,
  metadata: { user_id: SECRET },
  stop_sequences: [SECRET],
  messages: [
    { role: 'user', content: `Is it ${SECRET}?` },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'tell', input: { word: SECRET } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: SECRET }] },
  ],
} satisfies Anthropic.MessageCreateParamsNonStreaming
const content = {
  model: 'gemini-2.5-flash',
  contents: [
    { role: 'user', parts: [{ text: `Is it ${SECRET}?` }] },
    { role: 'model', parts: [{ functionCall: { name: 'tell', args: { word: SECRET } } }] },
    { role: 'user', parts: [{ functionResponse: { name: 'tell', response: { word: SECRET } } }] },
  ],
  config: { systemInstruction: `Never say ${SECRET}.`, stopSequences: [SECRET], labels: { note: SECRET } },
}

async function read(stream: AsyncIterable<unknown>, count = Number.POSITIVE_INFINITY): Promise<void> {
  for await (const _ of stream) if (--count <= 0) break
}

/** Every way in which each SDK is called. */
const CALLS: readonly ((signal: AbortSignal) => Promise<unknown>)[] = [
  (signal) => openai.chat.completions.create(chat, { signal }),
  async (signal) => read(await openai.chat.completions.create({ ...chat, stream: true }, { signal })),
  async (signal) => read(await openai.chat.completions.create({ ...chat, stream: true }, { signal }), 2),
  async (signal) => (await openai.chat.completions.create({ ...chat, stream: true }, { signal }).asResponse()).text(),
  (signal) => openai.chat.completions.stream(chat, { signal }).finalChatCompletion(),
  (signal) => openai.responses.create({ model: 'gpt-4o', instructions: SECRET, input: SECRET }, { signal }),
  async (signal) => read(await openai.responses.create({ model: 'gpt-4o', input: SECRET, stream: true }, { signal })),
  (signal) => openai.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: SECRET }, { signal }),
  (signal) => openai.embeddings.create({ model: 'text-embedding-3-small', input: SECRET }, { signal }),
  (signal) => anthropic.messages.create(message, { signal }),
  async (signal) => read(await anthropic.messages.create({ ...message, stream: true }, { signal })),
  async (signal) => read(await anthropic.messages.create({ ...message, stream: true }, { signal }), 3),
  (signal) => anthropic.messages.stream(message, { signal }).finalMessage(),
  (signal) => anthropic.beta.messages.create(message, { signal }),
  (abortSignal) => google.models.generateContent({ ...content, config: { ...content.config, abortSignal } }),
  async (abortSignal) =>
    read(await google.models.generateContentStream({ ...content, config: { ...content.config, abortSignal } })),
  async (abortSignal) =>
    read(await google.models.generateContentStream({ ...content, config: { ...content.config, abortSignal } }), 1),
  (abortSignal) =>
    google.models.embedContent({ model: 'gemini-embedding-001', contents: SECRET, config: { abortSignal } }),
]

const page = `<html><body>${SECRET}</body></html>`
/** Everything that can be answered. */
const ANSWERS: readonly Reply[] = [
  { text: `It is ${SECRET}, and not ${SECRET}.`, headers: { 'x-note': SECRET } },
  { toolCalls: [{ name: 'tell', args: { word: SECRET } }] },
  { text: SECRET, omitUsage: true },
  { text: SECRET, usage: SECRET },
  { text: SECRET, usage: { prompt_tokens: SECRET, input_tokens: SECRET, promptTokenCount: SECRET } },
  { status: 400, errorMessage: `The word ${SECRET} is not allowed.` },
  { status: 500, errorMessage: `${SECRET} broke the server.` },
  { errorAfterEvents: 2, text: `${SECRET} and on and on`, errorMessage: `${SECRET} broke the stream.` },
  { text: SECRET, malformedLine: `event: message_start\ndata: {"${SECRET}` },
  { text: SECRET, truncateJson: true },
  { body: `"${SECRET}"`, contentType: 'application/json' },
  { body: `${SECRET} is no JSON`, contentType: 'application/json' },
  { body: `data: ${SECRET}\n\n`, contentType: 'text/event-stream' },
  { body: page },
  { body: page, status: 502 },
  { text: `${SECRET} and on and on`, cutBody: true },
  { text: `${SECRET} and on and on`, cutAfterEvents: 2 },
]

let sent = 0
/** The application's own errors quote the word, as they should: they stay its own. */
async function attempt(answer: Reply, call: (typeof CALLS)[number], isAborted = false): Promise<void> {
  emulator.reply(answer)
  const abort = new AbortController()
  const ended = meter.forTenant('acme', () => call(abort.signal)).catch(() => undefined)
  if (isAborted) {
    await emulator.until(() => emulator.requests.length > 0)
    abort.abort(new Error(SECRET))
  }
  await ended
  for (const { body, headers } of emulator.requests)
    if (JSON.stringify(body).includes(SECRET) && JSON.stringify(headers).includes(SECRET)) sent++
  emulator.reset()
}

for (const answer of ANSWERS) for (const call of CALLS) await attempt(answer, call)
for (const call of CALLS) await attempt({ hang: true }, call, true)

await meter.setLimit('globex', { usd: 1 })
meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1_000_000, tenantId: 'globex' })
await meter.flush()
for (const call of CALLS) {
  const refused = await meter
    .forTenant('globex', () => call(new AbortController().signal))
    .catch((error: unknown) => error)
  if (refused instanceof LimitExceededError) said.push(refused, refused.message, refused.stack)
}

await meter.flush()
said.push(meter.stats())
process.stdout.write(`${inspect(said, { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null })}\n`)
process.stdout.write(`${JSON.stringify(said)}\n`)
process.stdout.write(`said ${sent} times, refused ${said.filter((it) => it instanceof LimitExceededError).length}\n`)
if (process.env['LEAVE'] === 'abruptly') process.exit(0)
await meter.close()
