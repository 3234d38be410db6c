// A provider that nobody knows: its host, its route, and where its answers say what was used. Needs no key and no network.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defineProvider, Meter } from 'tallygate'

// The provider, here on this machine.
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({ poet: 'muse-1', verse: 'The sea is deep.', tally: { heard: 12, sung: 5 }, price: '0.0017' }),
  )
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const host = `127.0.0.1:${(server.address() as AddressInfo).port}`

const muse = defineProvider({
  name: 'muse',
  hosts: host,
  routes: [
    {
      endpoint: 'verses',
      path: '/v1/verses',
      request: ({ poet }) => ({ model: poet as string }),
      read({ poet, tally, price }) {
        // An event of a stream without figures, or an answer that is none.
        if (!tally) return undefined
        const { heard, sung } = tally as { heard: number; sung: number }
        return { model: poet as string, usage: { 'input.text': heard, 'output.text': sung }, costUsd: price as string }
      },
    },
  ],
})

await using meter = new Meter({
  providers: [muse],
  onEvent: ({ tenantId, provider, model, endpoint, inputTokens, outputTokens, costUsd }) =>
    console.log(`${tenantId}: ${provider} ${model} ${endpoint}, ${inputTokens} in, ${outputTokens} out, $${costUsd}`),
})
meter.patch('fetch')

await meter.forTenant('acme', async () => {
  const response = await fetch(`http://${host}/v1/verses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ poet: 'muse-1', about: 'the sea' }),
  })
  console.log(((await response.json()) as { verse: string }).verse)
})
await meter.flush()
server.close()
