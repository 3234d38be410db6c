// The ways to call @anthropic-ai/sdk, each as an application writes it.

import { all, each, listen, quiet, some, textByOwnBuffer, textByReader, textOf } from './reading.mjs'
import { frozen } from './snapshot.mjs'
import { collection, LONG_ENOUGH_TO_SEND } from './stage.mjs'

const messages = [
  { role: 'user', content: 'How deep is the sea, and how would a traveller find out without any instrument?' },
]
const ask = frozen({
  model: 'claude-sonnet-5',
  max_tokens: 64,
  system: 'You are the keeper of a small lighthouse and answer in whole sentences.',
  messages,
})
const askStream = frozen({ ...ask, stream: true })
const text = 'The sea is deep, 海は深い 🐋, and nobody who went down to measure it came back with a number.'
const again = { 'retry-after-ms': '1' }
const place = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
const cached = { cachedTokens: 5, cacheWriteTokens: 3, cacheWrite1hTokens: 2 }

function weather(see) {
  return {
    type: 'custom',
    name: 'weather',
    description: 'Tells the weather of a city',
    input_schema: place,
    parse: (input) => input,
    run: (input) => {
      see(input, 'tool')
      return 'rain'
    },
  }
}

/** A format whose answers are parsed, as the SDK's own helpers make it. */
const format = { type: 'json_schema', schema: place, parse: (content) => JSON.parse(content) }

class Kept {
  constructor() {
    Object.assign(this, { ...askStream })
  }
  toJSON() {
    return Object.assign({}, this, { metadata: { user_id: 'u1' } })
  }
}

export const { shapes, shape } = collection()

shape('await', async ({ client, see, reply }) => {
  reply({ text, ...cached, reasoningTokens: 4 })
  const promise = client.messages.create(ask)
  see(promise, 'promise')
  const answer = await promise
  see(answer)
  see(answer._request_id)
})
shape('the same promise awaited twice', async ({ client, see }) => {
  const promise = client.messages.create(ask)
  const [first, second] = [await promise, await promise]
  see(first)
  see(first === second)
  await promise.then((value) => see(value === first))
})
shape('ten calls at once', { events: 10, anyOrder: true }, async ({ client, see }) => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.messages.create(ask)))
  see(answers.map(({ content }) => content))
})
shape('.withResponse()', async ({ client, see }) => see(await client.messages.create(ask).withResponse()))
shape('.asResponse(), then .json()', async ({ client, see, fails }) => {
  const response = await client.messages.create(ask).asResponse()
  see(response, 'before')
  see(await response.json())
  see(response, 'after')
  await fails(() => response.text())
})
shape('.asResponse(), then .text(), .arrayBuffer(), .blob(), .bytes()', { events: 4 }, async ({ client, see }) => {
  for (const how of ['text', 'arrayBuffer', 'blob', 'bytes']) {
    const response = await client.messages.create(ask).asResponse()
    const value = response[how] ? await response[how]() : await response.json().then(() => undefined)
    see(how === 'blob' ? [value.type, await value.text()] : value, how)
  }
})
shape('.asResponse(), then its body by a reader', async ({ client, see, fails }) => {
  const response = await client.messages.create(ask).asResponse()
  see(await textByReader(response.body))
  see(response, 'after')
  await fails(() => response.text())
})
shape('.asResponse() and .clone(), both read', async ({ client, see }) => {
  const response = await client.messages.create(ask).asResponse()
  const copy = response.clone()
  see(await copy.json())
  see(await response.json())
})
shape('.asResponse() and the answer of the same promise', async ({ client, see }) => {
  const promise = client.messages.create(ask)
  see((await promise.asResponse()).status)
  see(await promise)
})
shape('client.post()', { events: 2 }, async ({ client, see }) => {
  see(await client.post('/v1/messages', { body: ask }))
  see(await all(await client.post('/v1/messages', { body: askStream, stream: true })))
})
shape('headers and options of the caller', async ({ client, see }) => {
  const options = frozen({ headers: { 'x-trace': 'abc' }, idempotencyKey: 'key-1', maxRetries: 1, timeout: 30_000 })
  see(await client.messages.create(ask, options))
})

shape('for await', async ({ client, see, reply }) => {
  reply({ text, splitBytes: 7, ...cached, reasoningTokens: 3 })
  const stream = await client.messages.create(askStream)
  see(stream, 'stream')
  await each(stream, see)
  see(stream.controller)
})
shape('for await, tool calls', async ({ client, see, reply }) => {
  reply({ text: 'Wait.', toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] })
  await each(await client.messages.create(askStream), see)
})
shape('for await, twice over the same stream', async ({ client, see, fails }) => {
  const stream = await client.messages.create(askStream)
  see(await all(stream))
  await fails(() => all(stream))
})
shape('the iterator by hand', async ({ client, see }) => {
  const iterator = (await client.messages.create(askStream))[Symbol.asyncIterator]()
  see(iterator, 'iterator')
  see(await Promise.all([iterator.next(), iterator.next(), iterator.next()]))
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) see(step)
  see(await iterator.next())
  see(await iterator.return?.('x'))
})
shape('tee()', async ({ client, see }) => {
  const [left, right] = (await client.messages.create(askStream)).tee()
  see([left, right])
  const iterator = right[Symbol.asyncIterator]()
  see(await iterator.next())
  await each(left, see)
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) see(step)
})
shape('toReadableStream()', async ({ client, see }) => {
  see(await textByReader((await client.messages.create(askStream)).toReadableStream()))
})
shape('toReadableStream() and back', async ({ client, see }) => {
  const stream = await client.messages.create(askStream)
  await each(stream.constructor.fromReadableStream(stream.toReadableStream(), new AbortController()), see)
})
shape('.withResponse() on a stream', async ({ client, see }) => {
  const { data, response, request_id } = await client.messages.create(askStream).withResponse()
  see(response, 'before')
  see(await all(data))
  see(response, 'after')
  see(request_id)
})
shape('.asResponse() on a stream, by a reader', async ({ client, see, reply, fails }) => {
  reply({ text, splitBytes: 5 })
  const response = await client.messages.create(askStream).asResponse()
  see(response, 'before')
  see(await textByReader(response.body))
  see(response, 'after')
  await fails(() => response.text())
})
shape('.asResponse() on a stream, by for await', async ({ client, see, reply }) => {
  reply({ text, splitBytes: 11 })
  see(await textOf((await client.messages.create(askStream).asResponse()).body))
})
shape('.asResponse() on a stream, with an own buffer', async ({ client, see }) => {
  see(await textByOwnBuffer((await client.messages.create(askStream).asResponse()).body))
})
shape(
  '.asResponse() on a stream, .text(), .arrayBuffer(), .blob(), .bytes()',
  { events: 4 },
  async ({ client, see }) => {
    for (const how of ['text', 'arrayBuffer', 'blob', 'bytes']) {
      const response = await client.messages.create(askStream).asResponse()
      const value = response[how] ? await response[how]() : await response.text().then(() => undefined)
      see(how === 'blob' ? [value.type, await value.text()] : value, how)
    }
  },
)
shape('.asResponse() on a stream, .clone(), both read', async ({ client, see }) => {
  const response = await client.messages.create(askStream).asResponse()
  const copy = response.clone()
  see(copy, 'copy')
  see(await Promise.all([copy.text(), textByReader(response.body)]))
})

shape('messages.stream()', async ({ client, see, reply }) => {
  reply({ text, ...cached })
  const stream = client.messages.stream(ask)
  listen(stream, ['connect', 'streamEvent', 'text', 'contentBlock', 'message', 'finalMessage', 'end'], see)
  see(await stream.finalMessage())
  see(await stream.finalText())
})
shape('messages.stream(), for await', async ({ client, see }) => {
  const stream = client.messages.stream(ask)
  await each(stream, see)
  see(await stream.done())
})
shape('messages.stream().withResponse()', async ({ client, see }) => {
  const { data, response, request_id } = await client.messages.stream(ask).withResponse()
  see(response, 'response')
  see(request_id)
  see(await data.finalMessage())
})
shape('messages.stream(), toReadableStream() and back', async ({ client, see }) => {
  const stream = client.messages.stream(ask)
  const back = stream.constructor.fromReadableStream(stream.toReadableStream())
  see(await back.finalMessage())
})
shape('messages.stream(), tool calls', async ({ client, see, reply }) => {
  reply({ text: 'Wait.', toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] })
  const stream = client.messages.stream(ask)
  listen(stream, ['inputJson'], see)
  see(await stream.finalMessage())
})
shape('messages.stream(), aborted', { source: 'partial', error: 'aborted' }, async ({ client, see, reply, fails }) => {
  reply({ text, stallAfterEvents: 6 })
  const stream = client.messages.stream(ask)
  stream.on('text', () => stream.abort())
  listen(stream, ['abort', 'error', 'end'], see)
  await fails(() => stream.done())
  see(stream.aborted)
})
shape('messages.stream(), early break', { source: 'partial', error: 'aborted' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 8 })
  see(await some(client.messages.stream(ask), 4))
})
shape('messages.parse()', async ({ client, see, reply }) => {
  reply({ text: '{"city":"Oslo"}' })
  see(await client.messages.parse({ ...ask, output_config: { format } }))
})
shape('messages.stream() with a parsed format', async ({ client, see, reply }) => {
  reply({ text: '{"city":"Oslo"}' })
  see(await client.messages.stream({ ...ask, output_config: { format } }).finalMessage())
})

shape('beta.messages.create', async ({ client, see, reply }) => {
  reply({ text, ...cached })
  see(await client.beta.messages.create({ ...ask, betas: ['context-1m-2025-08-07'] }).withResponse())
})
shape('beta.messages.create, streamed', async ({ client, see }) => {
  await each(await client.beta.messages.create(frozen({ ...askStream, betas: ['context-1m-2025-08-07'] })), see)
})
shape('beta.messages.create, streamed and read raw', async ({ client, see }) => {
  see(await (await client.beta.messages.create(askStream).asResponse()).text())
})
shape('beta.messages.stream()', async ({ client, see }) => {
  const stream = client.beta.messages.stream(ask)
  listen(stream, ['streamEvent', 'text', 'message', 'end'], see)
  see(await stream.finalMessage())
})
shape('beta.messages.parse()', async ({ client, see, reply }) => {
  reply({ text: '{"city":"Oslo"}' })
  see(await client.beta.messages.parse({ ...ask, output_format: format }))
})
shape('beta.messages.toolRunner()', { events: 2 }, async ({ client, see, reply }) => {
  reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
  const runner = client.beta.messages.toolRunner({ ...ask, tools: [weather(see)] })
  await each(runner, see)
  see(await runner.done())
  see(runner.params)
})
shape('beta.messages.toolRunner(), run until done', { events: 2 }, async ({ client, see, reply }) => {
  reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
  see(await client.beta.messages.toolRunner({ ...ask, tools: [weather(see)] }).runUntilDone())
})
shape('beta.messages.toolRunner({ stream: true })', { events: 2 }, async ({ client, see, reply }) => {
  reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
  const runner = client.beta.messages.toolRunner({ ...ask, tools: [weather(see)], stream: true })
  for await (const stream of runner) {
    await each(stream, see)
    see(await stream.finalMessage())
  }
  see(await runner.done())
})
shape('beta.messages.thread()', { events: 2 }, async ({ client, see }) => {
  const thread = client.beta.messages.thread({ model: ask.model, max_tokens: 64 })
  see(await thread.send(messages))
  see(await thread.send([{ role: 'user', content: 'And the lake?' }]).withResponse())
  see(thread.messages)
  see(thread.previousMessageId)
})
shape('beta.messages.thread().stream()', { events: 2 }, async ({ client, see }) => {
  const thread = client.beta.messages.thread({ model: ask.model, max_tokens: 64 })
  const stream = thread.stream(messages)
  await each(stream, see)
  see(await stream.finalMessage())
  see(await thread.stream([{ role: 'user', content: 'And the lake?' }]).finalText())
})
shape('beta.messages.thread().toolRunner()', { events: 2 }, async ({ client, see, reply }) => {
  reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
  const thread = client.beta.messages.thread({ model: ask.model, max_tokens: 64, messages, tools: [weather(see)] })
  see(await thread.toolRunner().runUntilDone())
  see(thread.messages)
})

shape('early break', { source: 'partial' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 8 })
  const stream = await client.messages.create(askStream)
  see(await some(stream, 5))
  see(stream.controller)
})
shape(
  'abort before headers',
  { source: 'absent', error: 'aborted', attempts: [undefined] },
  async ({ client, emulator, reply, fails }) => {
    reply({ hang: true })
    const controller = new AbortController()
    const call = client.messages.create(ask, { signal: controller.signal })
    void emulator
      .until(() => emulator.requests.length > 0)
      .then(
        () => controller.abort(),
        () => {},
      )
    await fails(() => call)
  },
)
shape('a signal aborted already', { source: 'absent', error: 'aborted', unsent: true }, async ({ client, fails }) => {
  await fails(() => client.messages.create(ask, { signal: AbortSignal.abort() }))
})
shape(
  'abort in mid-stream, by its controller',
  { source: 'partial', error: 'aborted' },
  async ({ client, see, reply }) => {
    reply({ text, stallAfterEvents: 7 })
    const stream = await client.messages.create(askStream)
    let count = 0
    for await (const event of stream) {
      see(event)
      if (++count === 5) stream.controller.abort()
    }
    see(stream.controller)
  },
)
shape('abort in mid-stream, by a signal', { source: 'partial', error: 'aborted' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 7 })
  const controller = new AbortController()
  const stream = await client.messages.create(askStream, { signal: controller.signal })
  let count = 0
  for await (const event of stream) {
    see(event)
    if (++count === 5) controller.abort()
  }
})
shape(
  'abort of a body that stalls',
  { source: 'estimated', error: 'any' },
  async ({ client, emulator, reply, fails }) => {
    reply({ text, stallBody: true })
    const controller = new AbortController()
    const call = client.messages.create(ask, { signal: controller.signal })
    void emulator
      .until(() => emulator.requests[0]?.status === 200)
      .then(() => quiet(30))
      .then(
        () => controller.abort(),
        () => {},
      )
    await fails(() => call)
  },
)
shape(
  'headers that never come, given up at the timeout',
  { source: 'absent', error: 'timeout', attempts: [undefined] },
  async ({ client, reply, fails }) => {
    reply({ hang: true })
    await fails(() => client.messages.create(ask, { timeout: LONG_ENOUGH_TO_SEND, maxRetries: 0 }))
  },
)
shape('HTTP 400', { source: 'absent', error: 'http_400', attempts: [400] }, async ({ client, reply, fails }) => {
  reply({ status: 400, errorMessage: 'No.' })
  await fails(() => client.messages.create(ask))
})
shape(
  'HTTP 400 to the stream helper',
  { source: 'absent', error: 'http_400', attempts: [400] },
  async ({ client, see, reply, fails }) => {
    reply({ status: 400, errorMessage: 'No.' })
    const stream = client.messages.stream(ask)
    listen(stream, ['error', 'end'], see)
    await fails(() => stream.finalMessage())
  },
)
shape('500, 500, then 200', { attempts: [500, 500, 200] }, async ({ client, see, reply }) => {
  reply({ status: 500, headers: again }, { status: 500, headers: again }, { text })
  see(await client.messages.create(ask).withResponse())
})
shape('500, 500, then a stream', { attempts: [500, 500, 200] }, async ({ client, see, reply }) => {
  reply({ status: 500, headers: again, times: 2 }, { text })
  await each(await client.messages.create(askStream), see)
})
shape(
  '500 to every attempt',
  { source: 'absent', error: 'http_500', attempts: [500, 500, 500] },
  async ({ client, reply, fails }) => {
    reply({ status: 500, headers: again, times: 3 })
    await fails(() => client.messages.create(ask))
  },
)
shape(
  'a connection closed, tried again',
  { attempts: [undefined, 200], slow: true },
  async ({ client, see, reply }) => {
    reply({ hangUp: true }, { text })
    see(await client.messages.create(ask, { maxRetries: 1 }))
  },
)
shape(
  'a stream cut by the server',
  { source: 'partial', error: 'interrupted' },
  async ({ client, see, reply, fails }) => {
    reply({ text, cutAfterEvents: 7, msBetweenEvents: 4 })
    const stream = await client.messages.create(askStream)
    await fails(() => each(stream, see))
  },
)
shape('a body cut by the server', { source: 'estimated', error: 'interrupted' }, async ({ client, reply, fails }) => {
  reply({ text, cutBody: true })
  await fails(() => client.messages.create(ask))
})
shape('an error event in a stream', { source: 'partial', error: 'any' }, async ({ client, see, reply, fails }) => {
  reply({ text, errorAfterEvents: 6 })
  const stream = await client.messages.create(askStream)
  await fails(() => each(stream, see))
})
shape('a malformed event in a stream', { source: 'any', error: 'any' }, async ({ client, see, reply, fails }) => {
  reply({ text, malformedLine: 'event: content_block_delta\ndata: {"oops' })
  const stream = await client.messages.create(askStream)
  await fails(() => each(stream, see))
})
shape('JSON that ends in its middle', { source: 'any', error: 'any' }, async ({ client, reply, fails }) => {
  reply({ text, truncateJson: true })
  await fails(() => client.messages.create(ask))
})
shape('an HTML page for an answer', { source: 'absent', error: 'any', lines: 0 }, async ({ client, see, reply }) => {
  reply({ body: '<html>Hello</html>' })
  see(await client.messages.create(ask))
})

shape('a promise that nobody awaits', { finish: 'close' }, async ({ client, answered }) => {
  client.messages.create(ask)
  await answered()
})
shape('a stream that nobody reads', { finish: 'collect', source: 'estimated' }, async ({ client, answered, see }) => {
  see(await client.messages.create(askStream))
  await answered()
})
shape(
  'a stream read in part and let go',
  { finish: 'collect', source: 'partial' },
  async ({ client, answered, see }) => {
    const iterator = (await client.messages.create(askStream))[Symbol.asyncIterator]()
    see(await iterator.next())
    await answered()
  },
)
shape("a body of the application's class, with toJSON", async ({ client, see }) => {
  const body = Object.freeze(new Kept())
  await each(await client.messages.create(body), see)
  see(body)
})
shape('a fetch of the caller', { events: 2 }, async ({ newClient, see }) => {
  const client = newClient({
    fetch: async (url, init) => {
      see([String(url), Object.keys(init), init.method, typeof init.body])
      const response = await fetch(url, init)
      return new Response(response.body, { status: response.status, headers: response.headers })
    },
  })
  see(await client.messages.create(ask))
  await each(await client.messages.create(askStream), see)
})
shape('a middleware of the caller', { events: 2 }, async ({ newClient, see }) => {
  const middleware = async (request, next, { options, parse }) => {
    see([request.method, JSON.parse(request.body)], 'request')
    const response = await next(request)
    see(response.status)
    if (!options.stream) see(await parse(response), 'parsed')
    return response
  }
  const client = newClient({ middleware: [middleware] })
  see(await client.messages.create(ask))
  await each(await client.messages.create(askStream), see)
})
shape('a logger of the caller', { events: 2 }, async ({ newClient, see, reply }) => {
  const log =
    (level) =>
    (...args) => {
      const kept = args.map((arg) =>
        typeof arg === 'string' ? arg.replace(/log_[0-9a-f]+/g, 'LOG').replace(/\d+ms/, 'MS') : arg,
      )
      for (const arg of kept) if (typeof arg === 'object' && arg) delete arg.durationMs
      see(kept, level)
    }
  const logger = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, log(level)]))
  const client = newClient({ logger, logLevel: 'debug' })
  await client.messages.create(ask)
  reply({ status: 500, headers: again })
  await all(await client.messages.create(askStream))
})
shape('what is free: messages.countTokens', { events: 0 }, async ({ client, see }) => {
  see(await client.messages.countTokens({ model: ask.model, messages }))
})

/** Played once more for each way to patch. */
export const common = [
  'await',
  'the same promise awaited twice',
  '.withResponse()',
  '.asResponse(), then .json()',
  '.asResponse() and .clone(), both read',
  'for await',
  'tee()',
  'toReadableStream()',
  '.asResponse() on a stream, by a reader',
  '.asResponse() on a stream, .clone(), both read',
  'messages.stream()',
  'messages.stream(), early break',
  'messages.parse()',
  'beta.messages.create, streamed',
  'beta.messages.toolRunner()',
  'beta.messages.toolRunner({ stream: true })',
  'beta.messages.thread().stream()',
  'early break',
  'abort before headers',
  'abort in mid-stream, by a signal',
  'HTTP 400',
  '500, 500, then 200',
  'a stream cut by the server',
  'a promise that nobody awaits',
  "a body of the application's class, with toJSON",
  'a middleware of the caller',
  'a logger of the caller',
]
