// The ways to call openai, each as an application writes it.

import { all, collect, each, listen, quiet, some, textByOwnBuffer, textByReader, textOf } from './reading.mjs'
import { frozen } from './snapshot.mjs'
import { collection, LONG_ENOUGH_TO_SEND } from './stage.mjs'

/** openai 4 has its helpers, parse() and stream() and runTools(), under `beta`. */
const helpersOf = (client) => (client.chat.completions.parse ? client : client.beta).chat.completions

const messages = [
  { role: 'system', content: 'You are the keeper of a small lighthouse and answer in whole sentences.' },
  { role: 'user', content: 'How deep is the sea, and how would a traveller find out without any instrument?' },
]
const ask = frozen({ model: 'gpt-4o', messages })
const askStream = frozen({ ...ask, stream: true })
const askUsage = frozen({ ...askStream, stream_options: { include_usage: true } })
const respond = frozen({ model: 'gpt-5', input: 'How deep is the sea, and how would a traveller find out?' })
const respondStream = frozen({ ...respond, stream: true })
const text = 'The sea is deep, 海は深い 🐋, and nobody who went down to measure it came back with a number.'
const again = { 'retry-after-ms': '1' }
const place = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}

function weather(see) {
  return {
    type: 'function',
    function: {
      name: 'weather',
      description: 'Tells the weather of a city',
      parameters: place,
      parse: JSON.parse,
      function: (args) => {
        see(args, 'tool')
        return 'rain'
      },
    },
  }
}

/** A request as an object of the application's own class. */
class Question {
  #words
  constructor(words) {
    this.#words = words
    this.model = 'gpt-4o'
    this.stream = true
  }
  get messages() {
    return [{ role: 'user', content: this.#words }]
  }
  toJSON() {
    return { model: 'gpt-4o', stream: true, messages: this.messages, user: 'u1' }
  }
}

class Kept {
  constructor() {
    Object.assign(this, { ...askStream })
  }
}

export const { shapes, shape } = collection()

shape('await', async ({ client, see, reply }) => {
  reply({ text, cachedTokens: 3, reasoningTokens: 4 })
  const promise = client.chat.completions.create(ask)
  see(promise, 'promise')
  const answer = await promise
  see(answer)
  see(answer._request_id)
})
shape('the same promise awaited twice', async ({ client, see }) => {
  const promise = client.chat.completions.create(ask)
  const [first, second] = [await promise, await promise]
  see(first)
  see(first === second)
  await promise.then((value) => see(value === first))
  await promise.finally(() => see('finally'))
})
shape('ten calls at once', { events: 10, anyOrder: true }, async ({ client, see }) => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.chat.completions.create(ask)))
  see(answers.map(({ choices }) => choices))
})
shape('.withResponse()', async ({ client, see }) => {
  const { data, response, request_id } = await client.chat.completions.create(ask).withResponse()
  see(data)
  see(response, 'response')
  see(request_id)
})
shape('.asResponse(), then .json()', async ({ client, see, fails }) => {
  const response = await client.chat.completions.create(ask).asResponse()
  see(response, 'before')
  see(await response.json())
  see(response, 'after')
  await fails(() => response.json())
  await fails(() => response.text())
  await fails(() => response.clone())
})
shape('.asResponse(), then .text(), .arrayBuffer(), .blob(), .bytes()', { events: 4 }, async ({ client, see }) => {
  for (const how of ['text', 'arrayBuffer', 'blob', 'bytes']) {
    const response = await client.chat.completions.create(ask).asResponse()
    const value = response[how] ? await response[how]() : await response.json().then(() => undefined)
    see(how === 'blob' ? [value.type, await value.text()] : value, how)
  }
})
shape('.asResponse(), then its body by a reader', async ({ client, see, fails }) => {
  const response = await client.chat.completions.create(ask).asResponse()
  see(Object.is(response.body, response.body))
  see(await textByReader(response.body))
  see(response, 'after')
  await fails(() => response.text())
})
shape(
  '.asResponse(), its body held by a reader, and .json()',
  { finish: 'close', source: 'any' },
  async ({ client, see, fails }) => {
    const response = await client.chat.completions.create(ask).asResponse()
    const reader = response.body.getReader()
    see(response, 'held')
    await fails(() => response.json())
    reader.releaseLock()
    see(response, 'let go')
    see(await response.json())
  },
)
shape('.asResponse() and .clone(), both read', async ({ client, see }) => {
  const response = await client.chat.completions.create(ask).asResponse()
  const copy = response.clone()
  see(copy, 'copy')
  see(await copy.json())
  see(await response.json())
  see([copy.bodyUsed, response.bodyUsed])
})
shape('.asResponse() and the answer of the same promise', async ({ client, see }) => {
  const promise = client.chat.completions.create(ask)
  const response = await promise.asResponse()
  see(response.status)
  see(await promise)
  see(response, 'after')
})
shape('Response.prototype.json called on it', { finish: 'close', source: 'any' }, async ({ client, see }) => {
  const response = await client.chat.completions.create(ask).asResponse()
  see(await Response.prototype.json.call(response))
})
shape('client.post()', { events: 2 }, async ({ client, see }) => {
  see(await client.post('/chat/completions', { body: ask }))
  const stream = await client.post('/chat/completions', { body: askStream, stream: true })
  see(await all(stream))
})
shape('options.body in place of the body', async ({ client, see }) => {
  const stream = await client.chat.completions.create(askStream, { body: { ...askStream, temperature: 0 } })
  see(await all(stream))
})
shape('a request id and headers of the caller', async ({ client, see }) => {
  const options = frozen({ headers: { 'x-trace': 'abc' }, idempotencyKey: 'key-1', maxRetries: 1, timeout: 30_000 })
  see(await client.chat.completions.create(ask, options))
})

shape('parse()', async ({ client, see, reply, load }) => {
  const { zodResponseFormat } = await load('openai/helpers/zod')
  const { z } = await load('zod')
  reply({ text: '{"city":"Oslo"}' })
  const format = zodResponseFormat(z.object({ city: z.string() }), 'place')
  const parsed = await helpersOf(client).parse({ ...ask, response_format: format })
  see(parsed)
  see(parsed._request_id)
})
shape('parse().withResponse()', async ({ client, see, reply }) => {
  reply({ text: '{"city":"Oslo"}' })
  const response_format = { type: 'json_schema', json_schema: { name: 'place', schema: place, strict: true } }
  see(
    await helpersOf(client)
      .parse(frozen({ ...ask, response_format }))
      .withResponse(),
  )
})
shape('runTools()', { events: 2 }, async ({ client, see, reply }) => {
  reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
  const runner = helpersOf(client).runTools({ ...ask, tools: [weather(see)] })
  listen(runner, ['message', 'functionToolCall', 'functionToolCallResult', 'finalContent'], see)
  see(await runner.finalContent())
  see(await runner.totalUsage())
  see(runner.messages)
})
shape('runTools({ stream: true })', { events: 2 }, async ({ client, see, reply }) => {
  reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
  const runner = helpersOf(client).runTools({ ...ask, tools: [weather(see)], stream: true })
  listen(runner, ['chunk', 'message', 'functionToolCall', 'finalContent'], see)
  see(await runner.finalContent())
  see(await runner.totalUsage())
  see(await runner.allChatCompletions())
})

shape('for await', async ({ client, see, reply }) => {
  reply({ text, splitBytes: 7, cachedTokens: 5, reasoningTokens: 3 })
  const stream = await client.chat.completions.create(askStream)
  see(stream, 'stream')
  await each(stream, see)
  see(stream.controller)
})
shape('for await, usage asked for', async ({ client, see, reply }) => {
  reply({ text })
  await each(await client.chat.completions.create(askUsage), see)
})
shape('for await, include_usage: false', async ({ client, see }) => {
  const stream_options = { include_usage: false, include_obfuscation: false }
  await each(await client.chat.completions.create(frozen({ ...askStream, stream_options })), see)
})
shape('for await, stream_options with other options', async ({ client, see }) => {
  const stream_options = { include_obfuscation: false }
  await each(await client.chat.completions.create(frozen({ ...askStream, stream_options })), see)
})
shape('for await, two choices', async ({ client, see }) => {
  await each(await client.chat.completions.create(frozen({ ...askStream, n: 2 })), see)
})
shape('for await, tool calls', async ({ client, see, reply }) => {
  reply({ text: 'Wait.', toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] })
  await each(await client.chat.completions.create(askStream), see)
})
shape('for await, memory collected in between', async ({ client, see }) => {
  const stream = await client.chat.completions.create(askStream)
  let count = 0
  for await (const chunk of stream) {
    see(chunk)
    if (++count < 4) await collect()
  }
})
shape('.asResponse() on a stream, memory collected in between', async ({ client, see }) => {
  const { body } = await client.chat.completions.create(askStream).asResponse()
  await collect()
  const texts = []
  for await (const bytes of body) {
    texts.push(Buffer.from(bytes).toString())
    if (texts.length < 3) await collect()
  }
  see(texts.join(''))
})
shape('for await, twice over the same stream', async ({ client, see, fails }) => {
  const stream = await client.chat.completions.create(askStream)
  see(await all(stream))
  await fails(() => all(stream))
})
shape('the iterator by hand', async ({ client, see }) => {
  const stream = await client.chat.completions.create(askStream)
  const iterator = stream[Symbol.asyncIterator]()
  see(iterator, 'iterator')
  see(iterator[Symbol.asyncIterator]() === iterator)
  const [first, second, third] = await Promise.all([iterator.next(), iterator.next(), iterator.next()])
  see([first, second, third])
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) see(step)
  see(await iterator.next())
  see(await iterator.return?.('x'))
})
shape('the iterator by hand, more steps asked for than there are', async ({ client, see, reply }) => {
  reply({ text: 'Deep.' })
  const iterator = (await client.chat.completions.create(askStream))[Symbol.asyncIterator]()
  see(await Promise.all(Array.from({ length: 12 }, () => iterator.next())))
})
shape('the iterator ended before its first step', { finish: 'close', source: 'estimated' }, async ({ client, see }) => {
  const stream = await client.chat.completions.create(askStream)
  const iterator = stream[Symbol.asyncIterator]()
  see(await iterator.return?.())
  see(await iterator.next())
})
shape('tee()', async ({ client, see }) => {
  const [left, right] = (await client.chat.completions.create(askStream)).tee()
  see([left, right])
  const iterator = right[Symbol.asyncIterator]()
  see(await iterator.next())
  await each(left, see)
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) see(step)
})
shape('toReadableStream()', async ({ client, see }) => {
  see(await textByReader((await client.chat.completions.create(askStream)).toReadableStream()))
})
shape('toReadableStream() and back', async ({ client, see }) => {
  const stream = await client.chat.completions.create(askStream)
  const back = stream.constructor.fromReadableStream(stream.toReadableStream(), new AbortController())
  await each(back, see)
})
shape('.withResponse() on a stream', async ({ client, see }) => {
  const { data, response, request_id } = await client.chat.completions.create(askStream).withResponse()
  see(response, 'before')
  see(await all(data))
  see(response, 'after')
  see(request_id)
})
shape('.asResponse() on a stream, by a reader', async ({ client, see, reply, fails }) => {
  reply({ text, splitBytes: 5 })
  const response = await client.chat.completions.create(askStream).asResponse()
  see(response, 'before')
  see(Object.is(response.body, response.body))
  const held = response.body
  see(await textByReader(held))
  see(response, 'after')
  see(held === response.body)
  await fails(() => response.text())
  await fails(() => response.clone())
})
shape('.asResponse() on a stream, by for await', async ({ client, see, reply }) => {
  reply({ text, splitBytes: 11 })
  const response = await client.chat.completions.create(askStream).asResponse()
  see(await textOf(response.body))
  see(response, 'after')
})
shape('.asResponse() on a stream, by pipeThrough', async ({ client, see }) => {
  const response = await client.chat.completions.create(askStream).asResponse()
  see(await textOf(response.body.pipeThrough(new TextDecoderStream())))
  see(response, 'after')
})
shape('.asResponse() on a stream, with an own buffer', async ({ client, see }) => {
  const response = await client.chat.completions.create(askStream).asResponse()
  see(await textByOwnBuffer(response.body))
})
shape(
  '.asResponse() on a stream, .text(), .arrayBuffer(), .blob(), .bytes()',
  { events: 4 },
  async ({ client, see, fails }) => {
    for (const how of ['text', 'arrayBuffer', 'blob', 'bytes']) {
      const response = await client.chat.completions.create(askStream).asResponse()
      const value = response[how] ? await response[how]() : await response.text().then(() => undefined)
      see(how === 'blob' ? [value.type, await value.text()] : value, how)
      see(response, 'after')
      await fails(() => response.text())
    }
  },
)
shape('.asResponse() on a stream, .json() fails', { source: 'any' }, async ({ client, see, fails }) => {
  const response = await client.chat.completions.create(askStream).asResponse()
  await fails(() => response.json())
  see(response, 'after')
})
shape('.asResponse() on a stream, .clone(), both read', async ({ client, see, fails }) => {
  const response = await client.chat.completions.create(askStream).asResponse()
  const copy = response.clone()
  see(copy, 'copy')
  see(response, 'original')
  const third = copy.clone()
  const texts = await Promise.all([copy.text(), textByReader(response.body), textOf(third.body)])
  see(texts)
  see([copy, response, third])
  await fails(() => copy.text())
})
shape('.asResponse() on a stream, .clone(), the copy read', async ({ client, see }) => {
  const response = await client.chat.completions.create(askStream).asResponse()
  const copy = response.clone()
  see(await copy.text())
  see([copy.bodyUsed, response.bodyUsed])
  await response.body.cancel()
})
shape('.asResponse() on a stream, given to a new Response', async ({ client, see }) => {
  const response = await client.chat.completions.create(askStream).asResponse()
  const served = new Response(response.body, response)
  see(await served.text())
  const { headers } = served
  see(headers)
})
shape('.asResponse() on a stream, cancelled', { source: 'estimated' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 4 })
  const response = await client.chat.completions.create(askStream).asResponse()
  const reader = response.body.getReader()
  await reader.read()
  see(await reader.cancel('enough'))
  see(await reader.read())
  reader.releaseLock()
  see(response, 'after')
})

shape('chat.completions.stream()', async ({ client, see, reply }) => {
  reply({ text })
  const stream = helpersOf(client).stream(ask)
  listen(
    stream,
    ['connect', 'chunk', 'content', 'message', 'content.delta', 'content.done', 'finalContent', 'end'],
    see,
  )
  see(await stream.finalChatCompletion())
  see(await stream.finalContent())
  see(await stream.totalUsage())
})
shape('chat.completions.stream(), usage asked for', async ({ client, see }) => {
  const stream = helpersOf(client).stream(frozen({ ...ask, stream_options: { include_usage: true } }))
  see(await stream.finalChatCompletion())
  see(await stream.totalUsage())
})
shape('chat.completions.stream(), for await', async ({ client, see }) => {
  const stream = helpersOf(client).stream(ask)
  await each(stream, see)
  see(await stream.done())
})
shape('chat.completions.stream(), toReadableStream() and back', async ({ client, see }) => {
  const stream = helpersOf(client).stream(ask)
  const back = stream.constructor.fromReadableStream(stream.toReadableStream())
  see(await back.finalChatCompletion())
})
shape('chat.completions.stream(), a format with its own toJSON', async ({ client, see, reply }) => {
  reply({ text: '{"city":"Oslo"}' })
  const json = { type: 'json_schema', json_schema: { name: 'place', schema: place, strict: true } }
  const response_format = Object.defineProperty({ ...json }, '$brand', { value: 'auto-parseable-response-format' })
  Object.defineProperty(response_format, '$parseRaw', { value: (raw) => ({ parsed: JSON.parse(raw) }) })
  Object.defineProperty(response_format, 'toJSON', { value: () => ({ ...json }) })
  const stream = helpersOf(client).stream({ ...ask, response_format })
  listen(stream, ['content.delta', 'content.done'], see)
  see(await stream.finalChatCompletion())
})
shape(
  'chat.completions.stream(), aborted',
  { source: 'estimated', error: 'aborted' },
  async ({ client, see, reply, fails }) => {
    reply({ text, stallAfterEvents: 5 })
    const stream = helpersOf(client).stream(ask)
    stream.on('content', () => stream.abort())
    listen(stream, ['abort', 'error', 'end'], see)
    await fails(() => stream.done())
    see(stream.aborted)
  },
)
shape('chat.completions.stream(), tools', async ({ client, see, reply }) => {
  reply({ text: 'Wait.', toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] })
  const tools = [{ type: 'function', function: { name: 'weather', parameters: place, strict: true } }]
  const stream = helpersOf(client).stream(frozen({ ...ask, tools }))
  listen(stream, ['tool_calls.function.arguments.delta', 'tool_calls.function.arguments.done'], see)
  see(await stream.finalChatCompletion())
})

shape('early break', { source: 'estimated' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 6 })
  const stream = await client.chat.completions.create(askStream)
  see(await some(stream, 4))
  see(stream.controller)
})
shape('early break, an error thrown in the loop', { source: 'estimated' }, async ({ client, reply, fails }) => {
  reply({ text, stallAfterEvents: 6 })
  const stream = await client.chat.completions.create(askStream)
  await fails(async () => {
    for await (const chunk of stream) if (chunk.choices[0].delta.content) throw new RangeError('enough')
  })
})
shape(
  'abort before headers',
  { source: 'absent', error: 'aborted', attempts: [undefined] },
  async ({ client, emulator, reply, fails }) => {
    reply({ hang: true })
    const controller = new AbortController()
    const call = client.chat.completions.create(ask, { signal: controller.signal })
    void emulator
      .until(() => emulator.requests.length > 0)
      .then(
        () => controller.abort(),
        () => {},
      )
    await fails(() => call)
  },
)
shape(
  'abort before headers of a stream',
  { source: 'absent', error: 'aborted', attempts: [undefined] },
  async ({ client, emulator, reply, fails }) => {
    reply({ hang: true })
    const controller = new AbortController()
    const call = client.chat.completions.create(askStream, { signal: controller.signal })
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
  await fails(() => client.chat.completions.create(ask, { signal: AbortSignal.abort() }))
})
shape(
  'abort in mid-stream, by its controller',
  { source: 'estimated', error: 'aborted' },
  async ({ client, see, reply }) => {
    reply({ text, stallAfterEvents: 5 })
    const stream = await client.chat.completions.create(askStream)
    let count = 0
    for await (const chunk of stream) {
      see(chunk)
      if (++count === 4) stream.controller.abort()
    }
    see(stream.controller)
  },
)
shape('abort in mid-stream, by a signal', { source: 'estimated', error: 'aborted' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 5 })
  const controller = new AbortController()
  const stream = await client.chat.completions.create(askStream, { signal: controller.signal })
  let count = 0
  for await (const chunk of stream) {
    see(chunk)
    if (++count === 4) controller.abort()
  }
  see(stream.controller)
})
shape(
  'abort of a body that stalls',
  { source: 'estimated', error: 'any' },
  async ({ client, emulator, reply, fails }) => {
    reply({ text, stallBody: true })
    const controller = new AbortController()
    const call = client.chat.completions.create(ask, { signal: controller.signal })
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
  'a body that stalls, tried again at its timeout',
  { source: 'reported', attempts: [200, 200], lines: 2, slow: true },
  async ({ client, see, reply }) => {
    reply({ text, stallBody: true })
    const call = client.chat.completions.create(ask, { timeout: 700, maxRetries: 1 })
    see(await call.withResponse())
  },
)
shape(
  'a body that stalls, given up at its timeout',
  { source: 'estimated', error: 'any', slow: true },
  async ({ client, reply, fails }) => {
    reply({ text, stallBody: true })
    await fails(() => client.chat.completions.create(ask, { timeout: 700, maxRetries: 0 }))
  },
)
shape(
  'headers that never come, given up at the timeout',
  { source: 'absent', error: 'timeout', attempts: [undefined] },
  async ({ client, reply, fails }) => {
    reply({ hang: true })
    await fails(() => client.chat.completions.create(ask, { timeout: LONG_ENOUGH_TO_SEND, maxRetries: 0 }))
  },
)
shape('HTTP 400', { source: 'absent', error: 'http_400', attempts: [400] }, async ({ client, reply, fails }) => {
  reply({ status: 400, errorMessage: 'No.', errorCode: 'context_length_exceeded' })
  await fails(() => client.chat.completions.create(ask))
})
shape(
  'HTTP 400 to a promise that nobody awaits',
  { source: 'absent', error: 'http_400', attempts: [400] },
  async ({ client, answered, reply }) => {
    reply({ status: 400, errorMessage: 'No.' })
    client.chat.completions.create(ask)
    await answered()
    await quiet()
  },
)
shape(
  'HTTP 400 to a stream',
  { source: 'absent', error: 'http_400', attempts: [400] },
  async ({ client, reply, fails }) => {
    reply({ status: 400, errorMessage: 'No.' })
    await fails(() => client.chat.completions.create(askStream))
  },
)
shape(
  'HTTP 400 to the stream helper',
  { source: 'absent', error: 'http_400', attempts: [400] },
  async ({ client, see, reply, fails }) => {
    reply({ status: 400, errorMessage: 'No.' })
    const stream = helpersOf(client).stream(ask)
    listen(stream, ['error', 'end'], see)
    await fails(() => stream.finalChatCompletion())
  },
)
shape('500, 500, then 200', { attempts: [500, 500, 200] }, async ({ client, see, reply }) => {
  reply({ status: 500, headers: again }, { status: 500, headers: again }, { text })
  see(await client.chat.completions.create(ask).withResponse())
})
shape('500, 500, then a stream', { attempts: [500, 503, 200] }, async ({ client, see, reply }) => {
  reply({ status: 500, headers: again }, { status: 503, headers: again }, { text })
  await each(await client.chat.completions.create(askStream), see)
})
shape(
  '500 to every attempt',
  { source: 'absent', error: 'http_500', attempts: [500, 500, 500] },
  async ({ client, reply, fails }) => {
    reply({ status: 500, headers: again, times: 3 })
    await fails(() => client.chat.completions.create(ask))
  },
)
shape(
  'a connection closed, tried again',
  { attempts: [undefined, 200], slow: true },
  async ({ client, see, reply }) => {
    reply({ hangUp: true }, { text })
    see(await client.chat.completions.create(ask, { maxRetries: 1 }))
  },
)
shape(
  'a stream cut by the server',
  { source: 'estimated', error: 'interrupted' },
  async ({ client, see, reply, fails }) => {
    reply({ text, cutAfterEvents: 6, msBetweenEvents: 4 })
    const stream = await client.chat.completions.create(askStream)
    await fails(() => each(stream, see))
  },
)
shape(
  'a stream cut by the server, read raw',
  { source: 'estimated', error: 'interrupted' },
  async ({ client, reply, fails }) => {
    reply({ text, cutAfterEvents: 6, msBetweenEvents: 4 })
    const response = await client.chat.completions.create(askStream).asResponse()
    await fails(() => response.text())
  },
)
shape('a body cut by the server', { source: 'estimated', error: 'interrupted' }, async ({ client, reply, fails }) => {
  reply({ text, cutBody: true })
  await fails(() => client.chat.completions.create(ask))
})
shape('an error event in a stream', { source: 'estimated', error: 'any' }, async ({ client, see, reply, fails }) => {
  reply({ text, errorAfterEvents: 4, errorMessage: 'Overloaded.' })
  const stream = await client.chat.completions.create(askStream)
  await fails(() => each(stream, see))
})
shape('a malformed event in a stream', { source: 'any', error: 'any' }, async ({ client, see, reply, fails }) => {
  reply({ text, malformedLine: 'data: {"oops' })
  const stream = await client.chat.completions.create(askStream)
  await fails(() => each(stream, see))
})
shape('a malformed event in a stream, read raw', { source: 'any', error: 'any' }, async ({ client, see, reply }) => {
  reply({ text, malformedLine: 'data: {"oops' })
  const response = await client.chat.completions.create(askStream).asResponse()
  see(await response.text())
})
shape('JSON that ends in its middle', { source: 'any', error: 'any' }, async ({ client, reply, fails }) => {
  reply({ text, truncateJson: true })
  await fails(() => client.chat.completions.create(ask))
})
shape('an HTML page for an answer', { source: 'absent', error: 'any', lines: 0 }, async ({ client, see, reply }) => {
  reply({ body: '<html>Hello</html>' })
  see(await client.chat.completions.create(ask))
})
shape('an empty answer', { source: 'absent', error: 'any', lines: 0 }, async ({ client, see, reply, fails }) => {
  reply({ body: '', contentType: 'application/json', headers: { 'content-length': '0' } })
  await fails(async () => see(await client.chat.completions.create(ask)))
})
shape('a JSON answer to a stream', { source: 'any', lines: 0, error: 'any' }, async ({ client, see, reply }) => {
  reply({ body: '{"error":{"message":"not a stream"}}', contentType: 'application/json' })
  const stream = await client.chat.completions.create(askStream)
  see(await all(stream))
})

shape('a promise that nobody awaits', { finish: 'close' }, async ({ client, answered, see }) => {
  see(client.chat.completions.create(ask))
  await answered()
})
shape(
  'a promise that nobody awaits, of a body that stalls',
  { finish: 'close', source: 'estimated', slow: true },
  async ({ client, emulator, reply, see }) => {
    reply({ text, stallBody: true })
    see(client.chat.completions.create(ask))
    await Promise.race([emulator.until(() => emulator.requests[0]?.status === 200), quiet(50)])
    await quiet()
  },
)
shape(
  'a promise of a stream that nobody awaits',
  { finish: 'collect', source: 'estimated' },
  async ({ client, answered }) => {
    client.chat.completions.create(askStream)
    await answered()
  },
)
shape('a stream that nobody reads', { finish: 'collect', source: 'estimated' }, async ({ client, answered, see }) => {
  see(await client.chat.completions.create(askStream))
  await answered()
})
shape(
  'a stream read in part and let go',
  { finish: 'collect', source: 'estimated' },
  async ({ client, answered, see }) => {
    const iterator = (await client.chat.completions.create(askStream))[Symbol.asyncIterator]()
    see(await iterator.next())
    await answered()
  },
)
shape('a raw answer that nobody reads', { finish: 'close' }, async ({ client, see }) => {
  see(await client.chat.completions.create(ask).asResponse())
})
shape('a raw stream that nobody reads', { finish: 'collect', source: 'estimated' }, async ({ client, see }) => {
  see(await client.chat.completions.create(askStream).asResponse())
})

shape(
  'a host that refuses stream_options with 422',
  { events: 2, refuses: 422, source: 'estimated', attempts: [422, 200] },
  async ({ client, see }) => {
    await each(await client.chat.completions.create(askStream), see)
    await each(await client.chat.completions.create(askStream), see)
  },
)
shape(
  'a host that refuses stream_options with 400',
  { events: 2, refuses: 400, source: 'estimated', attempts: [400, 200] },
  async ({ client, see }) => {
    await each(await client.chat.completions.create(askStream), see)
    see(await helpersOf(client).stream(ask).finalChatCompletion())
  },
)
shape(
  'a host that refuses the stream_options of the caller',
  { refuses: 422, source: 'absent', error: 'http_422', attempts: [422] },
  async ({ client, fails }) => {
    await fails(() => client.chat.completions.create(askUsage))
  },
)
shape("a body of the application's class", async ({ client, see }) => {
  const body = Object.freeze(new Kept())
  await each(await client.chat.completions.create(body), see)
  see(body)
})
shape('a body with a getter and toJSON', async ({ client, see }) => {
  const body = Object.freeze(new Question('How deep is the sea?'))
  await each(await client.chat.completions.create(body), see)
  see(body)
})
shape('a body whose toJSON says everything', async ({ client, see }) => {
  let asked = 0
  const body = Object.freeze({
    stream: true,
    toJSON() {
      asked++
      return { ...askStream }
    },
  })
  await each(await client.chat.completions.create(body), see)
  see(asked)
})
shape('a body without a prototype', async ({ client, see }) => {
  const body = Object.freeze(Object.assign(Object.create(null), askStream))
  await each(await client.chat.completions.create(body), see)
})
shape('a number beyond those of JavaScript in the body', async ({ client, see }) => {
  if (!JSON.rawJSON) return see(await all(await client.chat.completions.create(askStream)))
  const body = {
    ...askStream,
    seed: JSON.rawJSON('12345678901234567890'),
    stream_options: { include_obfuscation: false },
  }
  await each(await client.chat.completions.create(body), see)
})
shape('a fetch of the caller', { events: 2 }, async ({ newClient, see }) => {
  const client = newClient({
    fetch: async (url, init) => {
      see([String(url), Object.keys(init), init.method, typeof init.body])
      const response = await fetch(url, init)
      return new Response(response.body, { status: response.status, headers: response.headers })
    },
  })
  see(await client.chat.completions.create(ask))
  await each(await client.chat.completions.create(askStream), see)
})
shape('a fetch whose answers are of a class of its own', { events: 2 }, async ({ newClient, see }) => {
  class Answer extends Response {
    get extra() {
      return 'kept'
    }
    async json() {
      return { ...(await super.json()), extra: this.extra }
    }
  }
  const client = newClient({
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      return new Answer(response.body, { status: response.status, headers: response.headers })
    },
  })
  const response = await client.chat.completions.create(ask).asResponse()
  see(response)
  see(await response.json())
  const stream = await client.chat.completions.create(askStream).asResponse()
  see([stream instanceof Answer, stream.extra])
  see(await stream.text())
})
shape('a logger of the caller', { events: 3 }, async ({ newClient, see, reply }) => {
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
  await client.chat.completions.create(ask)
  reply({ status: 500, headers: again })
  await all(await client.chat.completions.create(askUsage))
  await all(await client.responses.create(respondStream))
})

shape('responses.create', async ({ client, see, reply }) => {
  reply({ text, cachedTokens: 4, reasoningTokens: 9 })
  const answer = await client.responses.create(respond)
  see(answer)
  see(answer.output_text)
  see(answer._request_id)
})
shape('responses.create, .withResponse() and .asResponse()', { events: 2 }, async ({ client, see }) => {
  see(await client.responses.create(respond).withResponse())
  const response = await client.responses.create(respond).asResponse()
  see(await response.json())
})
shape('responses.create, streamed', async ({ client, see, reply }) => {
  reply({ text, splitBytes: 9, reasoningTokens: 2 })
  await each(await client.responses.create(respondStream), see)
})
shape('responses.create, streamed and read raw', async ({ client, see }) => {
  see(await (await client.responses.create(respondStream).asResponse()).text())
})
shape('responses.create, streamed, tee() and toReadableStream()', async ({ client, see }) => {
  const [left, right] = (await client.responses.create(respondStream)).tee()
  const [first, second] = await Promise.all([all(left), textByReader(right.toReadableStream())])
  see(first)
  see(second)
})
shape('responses.create, streamed, early break', { source: 'estimated' }, async ({ client, see, reply }) => {
  reply({ text, stallAfterEvents: 8 })
  see(await some(await client.responses.create(respondStream), 7))
})
shape(
  'responses.create, streamed, cut by the server',
  { source: 'estimated', error: 'interrupted' },
  async ({ client, see, reply, fails }) => {
    reply({ text, cutAfterEvents: 8, msBetweenEvents: 4 })
    const stream = await client.responses.create(respondStream)
    await fails(() => each(stream, see))
  },
)
shape(
  'responses.create, an error event in its stream',
  { source: 'estimated', error: 'any' },
  async ({ client, see, reply, fails }) => {
    reply({ text, errorAfterEvents: 5 })
    const stream = await client.responses.create(respondStream)
    await fails(() => each(stream, see))
  },
)
shape('responses.parse', async ({ client, see, reply, load }) => {
  const { zodTextFormat } = await load('openai/helpers/zod')
  const { z } = await load('zod')
  reply({ text: '{"city":"Oslo"}' })
  const format = zodTextFormat(z.object({ city: z.string() }), 'place')
  see(await client.responses.parse({ ...respond, text: { format } }))
})
shape('responses.stream()', async ({ client, see, reply }) => {
  reply({ text })
  const stream = client.responses.stream(respond)
  listen(stream, ['response.created', 'response.output_text.delta', 'response.completed', 'event', 'end'], see)
  see(await stream.finalResponse())
})
shape('responses.stream(), for await', async ({ client, see }) => {
  const stream = client.responses.stream(respond)
  await each(stream, see)
  see(await stream.finalResponse())
})
shape(
  'responses.stream(), aborted',
  { source: 'estimated', error: 'aborted' },
  async ({ client, see, reply, fails }) => {
    reply({ text, stallAfterEvents: 7 })
    const stream = client.responses.stream(respond)
    stream.on('response.output_text.delta', () => stream.abort())
    await fails(() => stream.finalResponse())
    see(stream.aborted)
  },
)
shape('responses.stream(), a parsed format', async ({ client, see, reply, load }) => {
  const { zodTextFormat } = await load('openai/helpers/zod')
  const { z } = await load('zod')
  reply({ text: '{"city":"Oslo"}' })
  const format = zodTextFormat(z.object({ city: z.string() }), 'place')
  see(await client.responses.stream({ ...respond, text: { format } }).finalResponse())
})
shape('embeddings.create', async ({ client, see }) => {
  see(
    await client.embeddings.create(
      frozen({ model: 'text-embedding-3-small', input: ['one two', 'three'], dimensions: 8 }),
    ),
  )
})
shape('embeddings.create, as numbers', async ({ client, see }) => {
  const body = { model: 'text-embedding-3-small', input: 'one', dimensions: 8, encoding_format: 'float' }
  see(await client.embeddings.create(frozen(body)).withResponse())
})
shape('completions.create', async ({ client, see }) => {
  see(await client.completions.create(frozen({ model: 'gpt-3.5-turbo-instruct', prompt: 'The sea is' })))
})
shape('completions.create, streamed', async ({ client, see }) => {
  const body = { model: 'gpt-3.5-turbo-instruct', prompt: 'The sea is', stream: true }
  await each(await client.completions.create(frozen(body)), see)
})
shape('completions.create, streamed and read raw', async ({ client, see }) => {
  const body = { model: 'gpt-3.5-turbo-instruct', prompt: 'The sea is', stream: true }
  see(await (await client.completions.create(frozen(body)).asResponse()).text())
})
shape('what is free: models.list, moderations, input_tokens', { events: 0 }, async ({ client, see }) => {
  see(await all(await client.models.list()))
  see(await client.moderations.create({ input: 'x' }))
  see(await client.responses.inputTokens.count({ model: 'gpt-5', input: 'one two' }))
})

/** Played once more for each way to patch. */
export const common = [
  'await',
  'the same promise awaited twice',
  '.withResponse()',
  '.asResponse(), then .json()',
  '.asResponse() and .clone(), both read',
  'client.post()',
  'parse()',
  'runTools()',
  'runTools({ stream: true })',
  'for await',
  'for await, usage asked for',
  'tee()',
  'toReadableStream()',
  '.withResponse() on a stream',
  '.asResponse() on a stream, by a reader',
  '.asResponse() on a stream, .clone(), both read',
  'chat.completions.stream()',
  'early break',
  'abort before headers',
  'abort in mid-stream, by a signal',
  'HTTP 400',
  '500, 500, then 200',
  '500, 500, then a stream',
  'a stream cut by the server',
  'a promise that nobody awaits',
  'a host that refuses stream_options with 422',
  'a body whose toJSON says everything',
  'a logger of the caller',
  'responses.create',
  'responses.create, streamed',
  'responses.parse',
  'responses.stream()',
  'embeddings.create',
  'completions.create, streamed',
]
