// The net beside msw, which answers calls of `fetch` in tests: whichever of them came first, both do their work.

import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { expect, onTestFinished, test } from 'vitest'
import { netted } from '../support/net.ts'

const url = 'https://api.openai.com/v1/chat/completions'
const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
const answer = { id: 'c1', object: 'chat.completion', model: 'gpt-4o', choices: [], usage }
const handlers = [http.post(url, () => HttpResponse.json(answer))]

const call = async () =>
  (await fetch(url, { method: 'POST', body: JSON.stringify({ model: 'gpt-4o', messages: [] }) })).json()

test.each(['msw', 'the net'])('%s first', async (first) => {
  const server = setupServer(...handlers)
  const listen = () => {
    server.listen()
    onTestFinished(() => server.close())
  }
  if (first === 'msw') listen()
  const net = await netted()
  if (first !== 'msw') listen()
  expect(await net.meter.forTenant('acme', call)).toEqual(answer)
  expect(await net.events()).toMatchObject([
    { tenantId: 'acme', provider: 'openai', host: 'api.openai.com', inputTokens: 7, outputTokens: 3 },
  ])
})
