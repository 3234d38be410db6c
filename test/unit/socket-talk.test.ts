// Which connections of openai are known, and what is found of an SDK's copy without loading what it does not use.

import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { socketEmitters } from '../../src/patch/socket-classes.ts'
import { openAITalk } from '../../src/patch/socket-talk.ts'

test.each([
  ['wss://api.openai.com/v1/realtime?model=gpt-realtime', true],
  ['wss://me.openai.azure.com/openai/realtime?deployment=mine&api-version=2024-10-01', true],
  ['wss://me.openai.azure.com/openai/v1/realtime?model=mine', true],
  ['wss://api.openai.com/v1/responses', true],
  ['wss://api.openai.com/v1/live/sessions', true],
  ['wss://api.openai.com/v1/live/sessions/live_1/attach', true],
  ['wss://api.openai.com/v1/live/sessions/live_1/fork', true],
  ['wss://api.openai.com/v1/realtime/translations?model=gpt-realtime-translate', false],
  ['wss://api.openai.com/v1/something', false],
])('%s is known: %s', (url, isKnown) => {
  expect(openAITalk(new URL(url)) !== undefined).toBe(isKnown)
})

test('the deployment of Azure is the model, and a connection to a call may share it with another', () => {
  expect(openAITalk(new URL('wss://h/openai/realtime?deployment=mine'))?.setting).toMatchObject({ model: 'mine' })
  expect(openAITalk(new URL('wss://h/v1/realtime?call_id=rtc_1'))?.setting).toMatchObject({ isShared: true })
})

test('a conversation of any length keeps a bounded number of items for estimates', () => {
  const talk = openAITalk(new URL('wss://h/v1/realtime?model=m'))
  for (let i = 0; i < 500; i++) talk?.sent({ type: 'conversation.item.create', item: { i } })
  expect(talk?.setting['items']).toHaveLength(50)
  expect(talk?.setting).toMatchObject({ items: expect.arrayContaining([{ i: 450 }, { i: 499 }]) as unknown })
})

test.each([
  [null],
  ['text'],
  [{}],
  [class {}],
  [
    class {
      send() {}
    },
  ],
  [
    class {
      send() {}
      _emit() {}
    },
  ],
])('what is no class of sockets has no emitter: %s', (module) => {
  expect(socketEmitters(module, undefined)).toEqual([])
})

test('a message of any shape means something or nothing, and never throws', () => {
  for (const url of ['wss://h/v1/realtime?model=m', 'wss://h/v1/responses', 'wss://h/v1/live/sessions']) {
    const talk = openAITalk(new URL(url))
    for (const type of [
      undefined,
      null,
      7,
      'error',
      'response.created',
      'response.done',
      'session.closed',
      'response.event',
    ])
      for (const rest of [{}, { response: null }, { response: 'text' }, { error: null }, { event: [] }, { session: 3 }])
        expect(() => [talk?.received({ type, ...rest }), talk?.sent({ type, ...rest })]).not.toThrow()
  }
})

test('an application that opens no connection does not load `ws`', () => {
  const script = `
    const { Meter } = await import(${JSON.stringify(new URL('../../src/meter.ts', import.meta.url).href)})
    const meter = new Meter({ sinks: [{ name: 'none', send: async () => {} }] })
    const { copies } = meter.patch('openai')
    const loaded = Object.keys((await import('node:module')).default._cache).filter((path) => /node_modules.ws./.test(path))
    console.log(JSON.stringify({ isPatched: copies.length > 1 && copies.every(({ isPatched }) => isPatched), loaded }))
  `
  const out = execFileSync(
    process.execPath,
    ['--experimental-strip-types', '--no-warnings', '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
      cwd: new URL('../..', import.meta.url),
    },
  )
  expect(JSON.parse(out)).toEqual({ isPatched: true, loaded: [] })
  expect(createRequire(import.meta.url).resolve('ws')).toBeTruthy()
})
