// The ways to call @google/genai, each as an application writes it.

import { all, each, some } from './reading.mjs'
import { frozen } from './snapshot.mjs'
import { collection, LONG_ENOUGH_TO_SEND } from './stage.mjs'

const model = 'gemini-2.5-flash'
const contents = 'How deep is the sea, and how would a traveller find out without any instrument?'
const ask = frozen({ model, contents })
const text = 'The sea is deep, 海は深い 🐋, and nobody who went down to measure it came back with a number.'
const retryOptions = { attempts: 3, initialDelay: 0.001, maxDelay: 0.002, jitter: 0 }
const retrying = frozen({ ...ask, config: { httpOptions: { retryOptions } } })

/** A tool that the SDK runs by itself. */
function callable(see) {
  return {
    tool: async () => ({
      functionDeclarations: [
        {
          name: 'weather',
          description: 'Tells the weather',
          parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } } },
        },
      ],
    }),
    callTool: async (calls) => {
      see(calls, 'tool')
      return calls.map(({ name, id }) => ({ functionResponse: { name, id, response: { output: 'rain' } } }))
    },
  }
}

const call = { toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }

export const { shapes, shape } = collection()

shape('await', async ({ client, see, reply }) => {
  reply({ text, cachedTokens: 3, reasoningTokens: 4, toolUseTokens: 2 })
  const promise = client.models.generateContent(ask)
  see(promise, 'promise')
  const answer = await promise
  see(answer)
  see(answer.text)
})
shape('the same promise awaited twice', async ({ client, see }) => {
  const promise = client.models.generateContent(ask)
  const [first, second] = [await promise, await promise]
  see(first)
  see(first === second)
})
shape('ten calls at once', { events: 10, anyOrder: true }, async ({ client, see }) => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.models.generateContent(ask)))
  see(answers.map((answer) => answer.text))
})
shape('generateContent with a configuration', async ({ client, see }) => {
  const config = {
    systemInstruction: 'You are the keeper of a small lighthouse.',
    maxOutputTokens: 9,
    temperature: 0,
    responseMimeType: 'application/json',
    httpOptions: { headers: { 'x-trace': 'abc' }, extraBody: { labels: { team: 'ml' } } },
  }
  see(
    await client.models.generateContent(
      frozen({ model, contents: [{ role: 'user', parts: [{ text: contents }] }], config }),
    ),
  )
})
shape('generateContent, two candidates', async ({ client, see }) => {
  see(await client.models.generateContent(frozen({ ...ask, config: { candidateCount: 2 } })))
})
shape('generateContentStream, for await', async ({ client, see, reply }) => {
  reply({ text, splitBytes: 7, cachedTokens: 5, reasoningTokens: 3 })
  const stream = await client.models.generateContentStream(ask)
  see(stream, 'stream')
  await each(stream, see)
})
shape('generateContentStream, the iterator by hand', async ({ client, see, reply }) => {
  reply({ text: 'Deep.' })
  const stream = await client.models.generateContentStream(ask)
  see(stream[Symbol.asyncIterator]() === stream)
  see(await Promise.all([stream.next(), stream.next(), stream.next(), stream.next(), stream.next()]))
  see(await stream.return('x'))
})
shape('generateContentStream, twice over the same stream', async ({ client, see }) => {
  const stream = await client.models.generateContentStream(ask)
  see(await all(stream))
  see(await all(stream))
})
shape('early break', { source: 'partial' }, async ({ client, see, reply }) => {
  reply({ text })
  see(await some(await client.models.generateContentStream(ask), 4))
})
shape('early break, an error thrown in the loop', { source: 'partial' }, async ({ client, reply, fails }) => {
  reply({ text })
  const stream = await client.models.generateContentStream(ask)
  await fails(async () => {
    for await (const chunk of stream) if (chunk.text) throw new RangeError('enough')
  })
})
shape(
  'abort before headers',
  { source: 'absent', error: 'aborted', attempts: [undefined] },
  async ({ client, emulator, reply, fails }) => {
    reply({ hang: true })
    const controller = new AbortController()
    const promise = client.models.generateContent({ ...ask, config: { abortSignal: controller.signal } })
    void emulator
      .until(() => emulator.requests.length > 0)
      .then(
        () => controller.abort(),
        () => {},
      )
    await fails(() => promise)
  },
)
shape(
  'abort before headers of a stream',
  { source: 'absent', error: 'aborted', attempts: [undefined] },
  async ({ client, emulator, reply, fails }) => {
    reply({ hang: true })
    const controller = new AbortController()
    const promise = client.models.generateContentStream({ ...ask, config: { abortSignal: controller.signal } })
    void emulator
      .until(() => emulator.requests.length > 0)
      .then(
        () => controller.abort(),
        () => {},
      )
    await fails(() => promise)
  },
)
shape('abort in mid-stream', { source: 'partial', error: 'aborted' }, async ({ client, see, reply, fails }) => {
  reply({ text, stallAfterEvents: 5 })
  const controller = new AbortController()
  const stream = await client.models.generateContentStream({ ...ask, config: { abortSignal: controller.signal } })
  let count = 0
  await fails(async () => {
    for await (const chunk of stream) {
      see(chunk)
      if (++count === 4) controller.abort()
    }
  })
})
shape(
  'headers that never come, given up at the timeout',
  { source: 'absent', error: 'any', attempts: [undefined] },
  async ({ client, reply, fails }) => {
    reply({ hang: true })
    await fails(() =>
      client.models.generateContent(frozen({ ...ask, config: { httpOptions: { timeout: LONG_ENOUGH_TO_SEND } } })),
    )
  },
)
shape(
  'a body that stalls, given up at the timeout',
  { source: 'estimated', error: 'any', slow: true },
  async ({ client, reply, fails }) => {
    reply({ text, stallBody: true })
    await fails(() => client.models.generateContent(frozen({ ...ask, config: { httpOptions: { timeout: 700 } } })))
  },
)
shape(
  'a stream that stalls, given up at the timeout',
  { source: 'partial', error: 'any', slow: true },
  async ({ client, see, reply, fails }) => {
    reply({ text, stallAfterEvents: 4 })
    const stream = await client.models.generateContentStream(
      frozen({ ...ask, config: { httpOptions: { timeout: 700 } } }),
    )
    await fails(() => each(stream, see))
  },
)
shape('HTTP 400', { source: 'absent', error: 'http_400', attempts: [400] }, async ({ client, reply, fails }) => {
  reply({ status: 400, errorMessage: 'No.' })
  await fails(() => client.models.generateContent(ask))
})
shape(
  'HTTP 400 to a stream',
  { source: 'absent', error: 'http_400', attempts: [400] },
  async ({ client, reply, fails }) => {
    reply({ status: 400, errorMessage: 'No.' })
    await fails(() => client.models.generateContentStream(ask))
  },
)
shape('500, 500, then 200', { attempts: [500, 500, 200] }, async ({ client, see, reply }) => {
  reply({ status: 500, times: 2 }, { text })
  see(await client.models.generateContent(retrying))
})
shape('500, 500, then a stream', { attempts: [500, 500, 200] }, async ({ client, see, reply }) => {
  reply({ status: 500, times: 2 }, { text })
  await each(await client.models.generateContentStream(retrying), see)
})
shape(
  '500 to every attempt',
  { source: 'absent', error: 'http_500', attempts: [500, 500, 500] },
  async ({ client, reply, fails }) => {
    reply({ status: 500, times: 3 })
    await fails(() => client.models.generateContent(retrying))
  },
)
shape(
  '500 without retryOptions',
  { source: 'absent', error: 'http_500', attempts: [500] },
  async ({ client, reply, fails }) => {
    reply({ status: 500 })
    await fails(() => client.models.generateContent(ask))
  },
)
shape(
  'a connection closed',
  { source: 'absent', error: 'connection', attempts: [undefined] },
  async ({ client, reply, fails }) => {
    reply({ hangUp: true })
    await fails(() => client.models.generateContent(ask))
  },
)
shape(
  'a stream cut by the server',
  { source: 'partial', error: 'interrupted' },
  async ({ client, see, reply, fails }) => {
    reply({ text, cutAfterEvents: 5, msBetweenEvents: 4 })
    const stream = await client.models.generateContentStream(ask)
    await fails(() => each(stream, see))
  },
)
shape('a body cut by the server', { source: 'estimated', error: 'interrupted' }, async ({ client, reply, fails }) => {
  reply({ text, cutBody: true })
  await fails(() => client.models.generateContent(ask))
})
shape('an error event in a stream', { source: 'partial', error: 'any' }, async ({ client, see, reply, fails }) => {
  reply({ text, errorAfterEvents: 4, msBetweenEvents: 3 })
  const stream = await client.models.generateContentStream(ask)
  await fails(() => each(stream, see))
})
shape('a malformed event in a stream', { source: 'any', error: 'any' }, async ({ client, see, reply, fails }) => {
  reply({ text, malformedLine: 'data: {"oops' })
  const stream = await client.models.generateContentStream(ask)
  await fails(() => each(stream, see))
})
shape('JSON that ends in its middle', { source: 'any', error: 'any' }, async ({ client, reply, fails }) => {
  reply({ text, truncateJson: true })
  await fails(() => client.models.generateContent(ask))
})
shape(
  'an HTML page for an answer',
  { source: 'absent', error: 'any', lines: 0 },
  async ({ client, see, reply, fails }) => {
    reply({ body: '<html>Hello</html>' })
    await fails(async () => see(await client.models.generateContent(ask)))
  },
)
shape('a promise that nobody awaits', async ({ client, answered }) => {
  client.models.generateContent(ask)
  await answered()
})
shape('a stream that nobody reads', { finish: 'collect', source: 'estimated' }, async ({ client, answered, see }) => {
  see(await client.models.generateContentStream(ask))
  await answered()
})
shape(
  'a stream read in part and let go',
  { finish: 'collect', source: 'partial' },
  async ({ client, answered, see }) => {
    const stream = await client.models.generateContentStream(ask)
    see(await stream.next())
    await answered()
  },
)

shape('chats.sendMessage', { events: 2 }, async ({ client, see }) => {
  const chat = client.chats.create({ model })
  see(await chat.sendMessage({ message: contents }))
  see(await chat.sendMessage({ message: 'And the lake?' }))
  see(chat.getHistory())
})
shape('chats.sendMessageStream', { events: 2 }, async ({ client, see }) => {
  const chat = client.chats.create({ model })
  await each(await chat.sendMessageStream({ message: contents }), see)
  await each(await chat.sendMessageStream({ message: 'And the lake?' }), see)
  see(chat.getHistory())
})
shape('chats.sendMessageStream, early break', { source: 'partial' }, async ({ client, see, reply }) => {
  reply({ text })
  const chat = client.chats.create({ model })
  see(await some(await chat.sendMessageStream({ message: contents }), 3))
})
shape('automatic function calling', { events: 2 }, async ({ client, see, reply }) => {
  reply(call, { text: 'It rains.' })
  see(await client.models.generateContent({ ...ask, config: { tools: [callable(see)] } }))
})
shape('automatic function calling, streamed', { events: 2 }, async ({ client, see, reply }) => {
  reply(call, { text: 'It rains.' })
  const stream = await client.models.generateContentStream({ ...ask, config: { tools: [callable(see)] } })
  see(stream, 'stream')
  await each(stream, see)
})
shape('automatic function calling in a chat', { events: 2 }, async ({ client, see, reply }) => {
  reply(call, { text: 'It rains.' })
  const chat = client.chats.create({ model, config: { tools: [callable(see)] } })
  see(await chat.sendMessage({ message: contents }))
  see(chat.getHistory())
})
shape('automatic function calling in a chat, streamed', { events: 2 }, async ({ client, see, reply }) => {
  reply(call, { text: 'It rains.' })
  const chat = client.chats.create({ model, config: { tools: [callable(see)] } })
  await each(await chat.sendMessageStream({ message: contents }), see)
  see(chat.getHistory())
})
shape('embedContent', async ({ client, see }) => {
  const body = {
    model: 'gemini-embedding-001',
    contents: ['one two', 'three'],
    config: { outputDimensionality: 8 },
  }
  see(await client.models.embedContent(frozen(body)))
})
shape('embedContent, one text', async ({ client, see }) => {
  see(
    await client.models.embedContent(
      frozen({ model: 'gemini-embedding-001', contents: 'one', config: { outputDimensionality: 8 } }),
    ),
  )
})
shape('a fetch of the caller', { events: 2 }, async ({ newClient, see }) => {
  const client = newClient({
    fetch: async (url, init) => {
      see([String(url), Object.keys(init), init.method, typeof init.body])
      return fetch(url, init)
    },
  })
  see(await client.models.generateContent(ask))
  await each(await client.models.generateContentStream(ask), see)
})
shape('what is free: countTokens', { events: 0 }, async ({ client, see }) => {
  see(await client.models.countTokens(ask))
})

/** Played once more for each way to patch. */
export const common = [
  'await',
  'generateContentStream, for await',
  'early break',
  'abort before headers',
  'abort in mid-stream',
  'HTTP 400',
  '500, 500, then 200',
  '500, 500, then a stream',
  'a stream cut by the server',
  'a promise that nobody awaits',
  'chats.sendMessage',
  'chats.sendMessageStream',
  'automatic function calling',
  'automatic function calling, streamed',
  'automatic function calling in a chat, streamed',
  'embedContent',
]
