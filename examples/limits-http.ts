// node:http without a framework: who pays, and 402 with the figures for a tenant whose money is spent.
// Run: OPENAI_API_KEY=... node examples/limits-http.ts, then: curl -H 'x-tenant: acme' localhost:3000/ask

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { Meter } from 'tallygate'
import { meterRequests } from 'tallygate/http'

const meter = new Meter()
meter.patchAll()
await meter.setLimit('acme', { usd: 0.0005, per: 'day' })

const client = new OpenAI()

const server = createServer(
  meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }, async (_request, response) => {
    const answer = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      max_tokens: 200,
      messages: [{ role: 'user', content: 'Tell me something about tides.' }],
    })
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ answer: answer.choices[0]?.message.content }))
  }),
)

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('SIGTERM', () => server.close(() => void meter.close()))
