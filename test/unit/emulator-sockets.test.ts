// The emulator's WebSockets, as a client without an SDK meets them.

import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { startEmulator } from '../../src/emulator/index.ts'

function talk(url: string) {
  const socket = new WebSocket(url)
  const messages: Record<string, unknown>[] = []
  socket.on('message', (data) => messages.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>))
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  const opened = new Promise((resolve) => socket.once('open', resolve))
  return { socket, messages, opened, closed }
}

test('a path without a protocol is declined in words', async () => {
  await using emulator = await startEmulator()
  const { host } = new URL(emulator.openai.baseURL)
  const socket = new WebSocket(`ws://${host}/v1/nothing`)
  const answer = await new Promise<{ readonly statusCode?: number | undefined }>((resolve) =>
    socket.once('unexpected-response', (_request, response) => resolve(response)),
  )
  expect(answer.statusCode).toBe(404)
  expect(emulator.requests).toMatchObject([{ method: 'GET', path: '/v1/nothing', status: 404 }])
})

test('a connection is noted, and each request on it by itself', async () => {
  await using emulator = await startEmulator()
  const { host } = new URL(emulator.openai.baseURL)
  const { socket, messages, opened, closed } = talk(`ws://${host}/v1/realtime?model=gpt-realtime`)
  await opened
  emulator.reply({ text: 'Deep.', audioOutputTokens: 2 })
  socket.send('{"type":"response.create"}')
  socket.send('no message')
  await emulator.until(() => emulator.requests.some(({ method, ended }) => method === 'SOCKET' && ended))
  socket.close()
  await closed
  await emulator.until(() => emulator.requests.every(({ ended }) => ended))
  expect(emulator.requests).toMatchObject([
    { method: 'GET', path: '/v1/realtime', query: { model: 'gpt-realtime' }, status: 101 },
    { method: 'SOCKET', path: '/v1/realtime', body: { type: 'response.create' }, status: 200 },
  ])
  expect(messages[0]).toMatchObject({ type: 'session.created', session: { model: 'gpt-realtime' } })
  expect(messages.at(-1)).toMatchObject({ type: 'response.done' })
  expect(emulator.bill().lines).toMatchObject([{ endpoint: 'realtime', isWhole: true, quantities: { audioOutput: 2 } }])
})

test('closing the emulator ends its connections, those that hang too', async () => {
  const emulator = await startEmulator()
  const { host } = new URL(emulator.google.baseURL)
  const { socket, opened, closed } = talk(
    `ws://${host}/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent`,
  )
  await opened
  emulator.reply({ hang: true })
  socket.send(JSON.stringify({ setup: { model: 'models/gemini-2.5-flash' } }))
  socket.send(JSON.stringify({ clientContent: { turns: [], turnComplete: true } }))
  await emulator.until(() => emulator.requests.length === 2)
  await emulator.close()
  expect(await closed).toBe(1006)
})
