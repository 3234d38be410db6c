// OpenAI's work that outlives its call, through the real SDK: counted once, in the name of whoever started it, in
// whichever process somebody asks what became of it.

import type OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { billedByModel, meteredByModel } from '../support/bill.ts'
import { copies } from '../support/openai-copies.ts'
import { staged } from '../support/openai-stage.ts'

const question = 'How deep is the sea?'
const UUID_8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/

interface Job {
  readonly endpoint: string
  start(client: OpenAI): Promise<{ readonly id: string; readonly thread_id?: string }>
  ask(client: OpenAI, job: { readonly id: string; readonly thread_id?: string }): Promise<unknown>
}

const JOBS: Readonly<Record<string, Job>> = {
  'a response in the background': {
    endpoint: 'responses',
    start: (client) => client.responses.create({ model: 'gpt-6-sol', input: question, background: true }),
    ask: (client, { id }) => client.responses.retrieve(id),
  },
  'a response in the background, followed as a stream': {
    endpoint: 'responses',
    start: (client) => client.responses.create({ model: 'gpt-6-sol', input: question, background: true }),
    async ask(client, { id }) {
      for await (const _ of await client.responses.retrieve(id, { stream: true }));
    },
  },
  'a video': {
    endpoint: 'videos',
    start: (client) => client.videos.create({ prompt: question, seconds: '8', size: '1280x720' }),
    ask: (client, { id }) => client.videos.retrieve(id),
  },
  'the remix of a video': {
    endpoint: 'videos.remix',
    start: (client) => client.videos.remix('video_1', { prompt: question }),
    ask: (client, { id }) => client.videos.retrieve(id),
  },
  'the extension of a video': {
    endpoint: 'videos.extend',
    start: (client) =>
      client.post('/videos/extensions', { body: { video: { id: 'video_1' }, prompt: question, seconds: '8' } }),
    ask: (client, { id }) => client.videos.retrieve(id),
  },
  'the run of a thread': {
    endpoint: 'threads.runs',
    start: (client) => client.beta.threads.runs.create('thread_1', { assistant_id: 'asst_1', model: 'gpt-4o' }),
    ask: (client, { id }) => client.beta.threads.runs.retrieve(id, { thread_id: 'thread_1' }),
  },
  'a thread with its run': {
    endpoint: 'threads.runs',
    start: (client) => client.beta.threads.createAndRun({ assistant_id: 'asst_1' }),
    ask: (client, { id, thread_id }) => client.beta.threads.runs.retrieve(id, { thread_id: thread_id! }),
  },
  'a fine-tuning': {
    endpoint: 'fineTuning.jobs',
    start: (client) => client.fineTuning.jobs.create({ model: 'gpt-4o-mini', training_file: 'file_1' }),
    ask: (client, { id }) => client.fineTuning.jobs.retrieve(id),
  },
  'the run of an eval': {
    endpoint: 'evals.runs',
    start: (client) =>
      client.post('/evals/eval_1/runs', { body: { data_source: { type: 'completions', model: 'gpt-4o-mini' } } }),
    ask: (client, { id }) => client.evals.runs.retrieve(id, { eval_id: 'eval_1' }),
  },
}

describe.each(copies)('openai %s', (_version, copy) => {
  describe.each(Object.entries(JOBS))('%s', (_name, { endpoint, start, ask }) => {
    test('counts once, for the tenant who started it, however often it is asked for', async () => {
      const { client, emulator, process } = await staged(copy)
      const { meter, events } = await process()
      const job = await meter.forTenant('acme', { feature: 'film' }, () => start(client))
      expect(await events()).toEqual([])
      await meter.forTenant('other', async () => {
        for (let asked = 0; asked < 20; asked++) await ask(client, job)
      })
      const [event, ...more] = await events()
      expect(more).toEqual([])
      expect(event).toMatchObject({ tenantId: 'acme', feature: 'film', endpoint, usageSource: 'reported' })
      expect(event!.eventId).toMatch(UUID_8)
      expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
      expect(event).not.toHaveProperty('usageFlags')
    })

    test('counts for the tenant who started it in another process', async () => {
      const { client, emulator, process } = await staged(copy)
      const first = await process()
      const job = await first.meter.forTenant('acme', () => start(client))
      const second = await process()
      await second.meter.forTenant('other', async () => {
        for (let asked = 0; asked < 3; asked++) await ask(client, job)
      })
      const [event, ...more] = await second.events()
      expect(more).toEqual([])
      expect(event).toMatchObject({ tenantId: 'acme', endpoint, usageSource: 'reported' })
      expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
      // Of a text an estimate was recorded meanwhile, which this one replaces.
      for (const estimate of await first.events()) {
        expect(estimate).toMatchObject({
          tenantId: 'acme',
          endpoint,
          usageSource: 'estimated',
          eventId: event!.eventId,
        })
      }
    })
  })

  test('a finished response is no event, no figure and no spend of any further process that asks for it', async () => {
    const { client, emulator, process } = await staged(copy)
    const { start, ask } = JOBS['a response in the background']!
    const first = await process()
    await first.meter.setLimit('acme', { usd: 100 })
    const job = await first.meter.forTenant('acme', () => start(client))
    for (let asked = 0; asked < 3; asked++) await ask(client, job)
    expect(await first.events()).toHaveLength(1)
    for (let times = 0; times < 2; times++) {
      const { meter, events } = await process()
      await meter.setLimit('acme', { usd: 100 })
      await meter.forTenant('acme', () => ask(client, job))
      expect(await events()).toEqual([])
      expect(meter.stats().calls).toBe(0)
      expect((await meter.getLimit('acme'))?.spentUsd).toBe('0')
    }
    expect(emulator.bill().lines).toHaveLength(1)
  })

  test('a response in the background that nobody asks for is estimated at the end', async () => {
    const { client, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.forTenant('acme', () => JOBS['a response in the background']!.start(client))
    await meter.close()
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'responses', usageSource: 'estimated' })
    expect(event!.inputTokens).toBeGreaterThan(0)
    expect(event!.usageBounds).toBeDefined()
    // So that whoever bills it knows that this may not be the last word.
    expect(event!.usageFlags).toEqual(['job:open'])
  })

  test('a response in the background that is streamed to its end counts once, also when it is asked for later', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.forTenant('acme', async () => {
      const stream = await client.responses.create({
        model: 'gpt-6-sol',
        input: question,
        background: true,
        stream: true,
      })
      let id = ''
      for await (const event of stream) if (event.type === 'response.created') id = event.response.id
      await client.responses.retrieve(id)
      await client.responses.cancel(id)
    })
    const recorded = await events()
    expect(recorded).toHaveLength(1)
    expect(meteredByModel(recorded[0]!)).toEqual(billedByModel(emulator.bill().lines))
  })

  test('a response in the background whose stream is left is billed when it is asked for', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.forTenant('acme', async () => {
      const stream = await client.responses.create({
        model: 'gpt-6-sol',
        input: question,
        background: true,
        stream: true,
      })
      let id = ''
      for await (const event of stream)
        if (event.type === 'response.created') {
          id = event.response.id
          break
        }
      expect(await events()).toEqual([])
      await client.responses.retrieve(id)
    })
    const recorded = await events()
    expect(recorded).toHaveLength(1)
    expect(recorded[0]).toMatchObject({ tenantId: 'acme', usageSource: 'reported' })
    expect(recorded[0]!.inputTokens).toBe(emulator.bill().lines[0]!.inputTokens)
  })

  test('a response in the background that is cancelled counts with what it says it used', async () => {
    const { client, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.forTenant('acme', async () => {
      const { id } = await client.responses.create({ model: 'gpt-6-sol', input: question, background: true })
      await client.responses.cancel(id)
      await client.responses.retrieve(id)
    })
    const recorded = await events()
    expect(recorded).toHaveLength(1)
    expect(recorded[0]).toMatchObject({ tenantId: 'acme', error: 'cancelled', usageSource: 'reported' })
  })

  test('the money held for a response in the background is given back when its usage is known', async () => {
    const { client, process } = await staged(copy)
    const { meter, events } = await process()
    await meter.setLimit('acme', { usd: 50 })
    const job = await meter.forTenant('acme', () => JOBS['a response in the background']!.start(client))
    expect(Number(meter.stats().heldUsd)).toBeGreaterThan(0)
    await client.responses.retrieve(job.id)
    const [event] = await events()
    expect(meter.stats().heldUsd).toBe('0')
    const [state] = await meter.limits('acme')
    expect(state).toMatchObject({ spentUsd: event!.costUsd })
  })

  test.each([{ status: 500 }, { truncateJson: true }, { hangUp: true }, { body: '<html>Busy</html>' }])(
    'asking for it under a fault, %o, makes no event, and asking again does',
    async (fault) => {
      const { client, emulator, process } = await staged(copy)
      const { meter, events } = await process()
      const { start, ask } = JOBS['a response in the background']!
      await meter.forTenant('acme', async () => {
        const job = await start(client)
        emulator.reply(fault)
        await Promise.resolve(ask(client, job)).catch(() => undefined)
        expect(await events()).toEqual([])
        await ask(client, job)
      })
      expect(await events()).toHaveLength(1)
    },
  )

  test('one that was refused is an event with its error, and no job', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    emulator.reply({ status: 400 })
    await meter.forTenant('acme', () => expect(client.videos.create({ prompt: question })).rejects.toThrow())
    expect(await events()).toMatchObject([{ endpoint: 'videos', error: 'http_400', usageSource: 'absent' }])
  })

  test('a video that failed has an event with its error and without usage', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    emulator.reply({ errorCode: 'moderation_blocked' })
    await meter.forTenant('acme', async () => {
      const { id } = await client.videos.create({ prompt: question })
      for (let asked = 0; asked < 3; asked++) await client.videos.retrieve(id)
    })
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ endpoint: 'videos', error: 'moderation_blocked', usageSource: 'absent' })
    expect(event).not.toHaveProperty('costUsd')
  })

  test('a list tells of the jobs that were started here, once each, and not of those of strangers', async () => {
    const { client, emulator, process } = await staged(copy)
    const start = () => client.beta.threads.runs.create('thread_1', { assistant_id: 'asst_1' })
    await start()
    emulator.reset()
    const { meter, events } = await process()
    await meter.forTenant('acme', start)
    await meter.forTenant('other', async () => {
      await client.beta.threads.runs.list('thread_1')
      await client.beta.threads.runs.list('thread_1')
    })
    const recorded = await events()
    expect(recorded).toHaveLength(1)
    expect(recorded[0]).toMatchObject({ tenantId: 'acme', endpoint: 'threads.runs' })
    expect(meteredByModel(recorded[0]!)).toEqual(billedByModel(emulator.bill().lines))
  })

  test('a run that is streamed, and one that waits for a tool', async () => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    emulator.reply({}, { toolCalls: [{ name: 'weather' }] })
    await meter.forTenant('acme', async () => {
      const whole = client.beta.threads.runs.stream('thread_1', { assistant_id: 'asst_1' })
      const { usage } = await whole.finalRun()
      expect(usage?.prompt_tokens).toBeGreaterThan(0)
      const waiting = await client.beta.threads.runs.create('thread_1', { assistant_id: 'asst_1', stream: true })
      let id = ''
      for await (const event of waiting) if (event.event === 'thread.run.requires_action') id = event.data.id
      expect(await events()).toHaveLength(1)
      const done = await client.beta.threads.runs.submitToolOutputs(id, {
        thread_id: 'thread_1',
        tool_outputs: [],
        stream: true,
      })
      for await (const _ of done);
    })
    const recorded = await events()
    expect(recorded).toHaveLength(2)
    for (const event of recorded)
      expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'threads.runs', usageSource: 'reported' })
    const total = (of: readonly { readonly totalTokens?: number }[]) =>
      of.reduce((sum, { totalTokens = 0 }) => sum + totalTokens, 0)
    const { lines } = emulator.bill()
    expect(total(recorded)).toBe(lines.reduce((sum, line) => sum + line.inputTokens + line.outputTokens, 0))
  })
})

describe('agents of openai 7.57', () => {
  const [, copy] = copies.at(-1)!

  test.each([true, false])('each turn of a session is an event, streamed as it is made: %s', async (stream) => {
    const { client, emulator, process } = await staged(copy)
    const { meter, events } = await process()
    const { sessions } = (client.beta as unknown as { agents: { sessions: Sessions } }).agents
    const body = { environment: { type: 'none' }, agent: { model: 'gpt-6-sol' }, input: question }
    let id = ''
    await meter.forTenant('acme', async () => {
      if (!stream) id = (await sessions.create(body)).id!
      else for await (const event of await sessions.create({ ...body, stream: true })) id = event.session?.id ?? id
    })
    await meter.forTenant('other', async () => {
      for (let times = 0; times < 2; times++) for await (const _ of await sessions.events.stream(id));
    })
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'agents.sessions', usageSource: 'reported' })
    expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
  })
})

interface SessionEvents extends AsyncIterable<{ readonly session?: { readonly id: string } }> {
  readonly id?: string
}

interface Sessions {
  create(body: object): Promise<SessionEvents>
  readonly events: { stream(id: string): Promise<AsyncIterable<unknown>> }
}
