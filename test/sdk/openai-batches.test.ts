// OpenAI's batches through the real SDK: an event for each line of the results, at the tier of batches, once, for the
// tenant who started the batch, whoever fetches its file and in whatever way.

import type OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/index.ts'
import { parseUsd } from '../../src/money.ts'
import { meteredByModel } from '../support/bill.ts'
import { copies, type OpenAICopy } from '../support/openai-copies.ts'
import { staged } from '../support/openai-stage.ts'

const messages = [{ role: 'user', content: 'How deep is the sea?' }]

type Line = readonly [url: string, body: object]

async function started(client: OpenAI, { toFile }: OpenAICopy, lines: readonly Line[]): Promise<string> {
  const text = lines
    .map(([url, body], i) => JSON.stringify({ custom_id: `c${i}`, method: 'POST', url, body }))
    .join('\n')
  const file = await client.files.create({ file: await toFile(Buffer.from(text), 'in.jsonl'), purpose: 'batch' })
  const batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
  return batch.id
}

/** Asks until it is over. */
async function finished(client: OpenAI, id: string): Promise<OpenAI.Batch> {
  await client.batches.retrieve(id)
  return client.batches.retrieve(id)
}

const chat: Line = ['/v1/chat/completions', { model: 'gpt-4o', messages }]

const MIXED: readonly Line[] = [
  chat,
  ['/v1/responses', { model: 'gpt-6-sol', input: 'Hi' }],
  ['/v1/embeddings', { model: 'text-embedding-3-small', input: ['a', 'b'], dimensions: 2 }],
  ['/v1/completions', { model: 'gpt-3.5-turbo-instruct', prompt: 'Once' }],
  ['/v1/images/generations', { model: 'gpt-image-2', prompt: 'A fish' }],
  ['/v1/moderations', { model: 'omni-moderation-latest', input: 'Hi' }],
  ['/v1/chat/completions', { messages }],
]

const WAYS: Readonly<Record<string, (answer: Response) => Promise<string>>> = {
  'text()': (answer) => answer.text(),
  'arrayBuffer()': async (answer) => Buffer.from(await answer.arrayBuffer()).toString(),
  'blob()': async (answer) => (await answer.blob()).text(),
  'its body': async (answer) => {
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>)
      text += decoder.decode(chunk, { stream: true })
    return text
  },
  'a clone': (answer) => answer.clone().text(),
}

describe.each(copies)('openai %s', (_version, copy) => {
  test('each line is an event with its own endpoint, model and usage, at the tier of batches', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events, problems } = await process()
    const id = await meter.forTenant('acme', { feature: 'night' }, () => started(client, copy, MIXED))
    expect(await events()).toEqual([])
    await meter.forTenant('other', async () => {
      const { output_file_id, error_file_id } = await finished(client, id)
      await (await client.files.content(output_file_id!)).text()
      await (await client.files.content(error_file_id!)).text()
      await (await client.files.content(output_file_id!)).text()
    })
    const recorded = await events()
    expect(recorded.map(({ endpoint, model }) => `${endpoint} ${model}`)).toEqual([
      'chat.completions gpt-4o',
      'responses gpt-6-sol',
      'embeddings text-embedding-3-small',
      'completions gpt-3.5-turbo-instruct',
      // A line with images does not name its model; the batch names one, that of its first line.
      'images.generate gpt-4o',
    ])
    for (const event of recorded)
      expect(event).toMatchObject({ tenantId: 'acme', feature: 'night', serviceTier: 'batch', usageSource: 'reported' })
    const { lines } = emulator.bill()
    expect(recorded.map((event) => event.totalTokens)).toEqual(
      lines.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens),
    )
    expect(Object.values(meteredByModel(recorded[4]!))[0]).toEqual({ 'input.text': 2, 'output.image': 1056 })
    expect(problems.filter(({ kind }) => kind !== 'price')).toEqual([])
  })

  test.each(Object.entries(WAYS))('read as %s', async (_, read) => {
    const { client, process } = await staged(copy)
    const { meter, events } = await process()
    const id = await meter.forTenant('acme', () => started(client, copy, [chat, chat, chat]))
    const { output_file_id } = await finished(client, id)
    const text = await read(await client.files.content(output_file_id!))
    expect(text.trim().split('\n')).toHaveLength(3)
    expect((await events()).map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme', 'acme'])
  })

  test('fetched by two other processes, each line is billed once, to the tenant of the batch', async () => {
    const { client, process } = await staged(copy)
    const first = await process()
    const id = await first.meter.forTenant('acme', () => started(client, copy, [chat, chat]))
    const seen: (readonly LLMEvent[])[] = []
    for (let times = 0; times < 2; times++) {
      const { meter, events } = await process()
      await meter.forTenant('other', async () => {
        const { output_file_id } = await finished(client, id)
        await (await client.files.content(output_file_id!)).text()
      })
      seen.push(await events())
    }
    const [one, two] = seen as [readonly LLMEvent[], readonly LLMEvent[]]
    expect(one.map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
    expect(two).toEqual([])
  })

  test('found in a list, its file still leads to its tenant', async () => {
    const { client, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.forTenant('acme', () => started(client, copy, [chat]))
    await meter.forTenant('other', async () => {
      const { data } = await client.batches.list()
      await (await client.files.content(data[0]!.output_file_id!)).text()
    })
    expect((await events()).map(({ tenantId }) => tenantId)).toEqual(['acme'])
  })

  test('a file that is no result of a batch comes through untouched and makes no event', async () => {
    const { client, process } = await staged(copy)
    const { meter, events, problems } = await process()
    const files = ['{"a":1}\n{"id":"x"}\n', 'no json at all\n{"id":"batch_req_1"}', '', '\n\n', '[1,2]', '{"torn']
    await meter.forTenant('acme', async () => {
      for (const text of files) {
        const { id } = await client.files.create({
          file: await copy.toFile(Buffer.from(text), 'own'),
          purpose: 'user_data',
        })
        for (const read of Object.values(WAYS)) expect(await read(await client.files.content(id))).toBe(text)
      }
    })
    expect(await events()).toEqual([])
    expect(problems).toEqual([])
  })

  test('a file that is left in the middle counts as far as it was read, and the rest when it is read', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    const id = await meter.forTenant('acme', () =>
      started(
        client,
        copy,
        Array.from({ length: 40 }, () => chat),
      ),
    )
    const { output_file_id } = await finished(client, id)
    emulator.reply({ splitBytes: 2000 })
    const reader = (await client.files.content(output_file_id!)).body!.getReader()
    await reader.read()
    await reader.read()
    await reader.cancel()
    const first = await events()
    expect(first.length).toBeLessThan(40)
    await (await client.files.content(output_file_id!)).text()
    expect(await events()).toHaveLength(40)
  })

  test('lines are spent against the limit of the tenant who started the batch', async () => {
    const { client, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.setLimit('acme', { usd: 50 })
    const id = await meter.forTenant('acme', () => started(client, copy, [chat, chat]))
    const { output_file_id } = await finished(client, id)
    await (await client.files.content(output_file_id!)).text()
    // What is known of the price of a batch is spent, and nothing else.
    const costs = (await events()).map(({ costUsd = '0' }) => parseUsd(costUsd)!)
    const [state] = await meter.limits('acme')
    expect(parseUsd(state!.spentUsd)).toBe(costs[0]! + costs[1]!)
  })
})

test('fifty thousand lines are fifty thousand events, none of them lost on the way out', async () => {
  const [, copy] = copies.at(-1)!
  const { client, emulator, process } = await staged(copy)
  const { meter, events } = await process()
  const body = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    model: 'gpt-4o',
    choices: [],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  }
  const line = (i: number) =>
    JSON.stringify({ id: `batch_req_${i}`, custom_id: `c${i}`, response: { status_code: 200, body }, error: null })
  const text = Array.from({ length: 50_000 }, (_, i) => line(i)).join('\n')
  emulator.reply({ body: text, contentType: 'application/octet-stream' })
  await meter.forTenant('acme', async () => {
    const answer = await client.files.content('file-1')
    expect(await answer.text()).toBe(text)
  })
  const recorded = await events()
  expect(recorded).toHaveLength(50_000)
  expect(new Set(recorded.map(({ eventId }) => eventId)).size).toBe(50_000)
  expect(meter.stats().delivery).toMatchObject({ delivered: 50_000, dropped: 0 })
})
