// Events go to an endpoint of your own, in gzip batches: this one keeps a sum by tenant. The contract is docs/wire.md.
// Run: OPENAI_API_KEY=... node examples/own-endpoint.ts

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import OpenAI from 'openai'
import { Meter } from 'tallygate'

const calls = new Map<string, number>()
const seen = new Set<string>()

const server = createServer(async (request, response) => {
  // `GET /v1/limits/{tenant}`: this endpoint keeps no limits.
  if (request.method !== 'POST') return void response.writeHead(404).end()
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = gunzipSync(Buffer.concat(chunks), { maxOutputLength: 8 * 1024 * 1024 })
  const { events } = JSON.parse(String(body)) as { events: { event_id: string; tenant_id?: string }[] }
  // Delivery is at least once: the id makes an event count once.
  const fresh = events.filter(({ event_id }) => !seen.has(event_id))
  for (const { event_id, tenant_id = 'nobody' } of fresh) {
    seen.add(event_id)
    calls.set(tenant_id, (calls.get(tenant_id) ?? 0) + 1)
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ accepted: fresh.length, duplicates: events.length - fresh.length, rejected: [] }))
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

const meter = new Meter({ url: `http://127.0.0.1:${port}/v1/ingest`, apiKey: 'secret' })
meter.patchAll()

const client = new OpenAI()
for (const tenant of ['acme', 'globex', 'acme']) {
  await meter.forTenant(tenant, () =>
    client.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] }),
  )
}

await meter.close()
console.log(Object.fromEntries(calls))
server.close()
