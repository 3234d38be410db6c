// Hono: a tenant whose money is spent is answered with 402 and the figures, also where the page is not the API's.
// Run: OPENAI_API_KEY=... node examples/limits-hono.ts, then: curl -H 'x-tenant: acme' localhost:3000/ask

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import OpenAI from 'openai'
import { Meter } from 'tallygate'
import { meterRequests } from 'tallygate/hono'

const meter = new Meter()
meter.patchAll()
await meter.setLimit('acme', { usd: 0.0005, per: 'day' })

const client = new OpenAI()
const app = new Hono()

app.use(meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }))

app.get('/ask', async (context) => {
  const answer = await client.chat.completions.create({
    model: 'gpt-4o-mini',
    max_tokens: 200,
    messages: [{ role: 'user', content: 'Tell me something about tides.' }],
  })
  return context.json({ answer: answer.choices[0]?.message.content })
})

const server = serve(
  { fetch: app.fetch, port: Number(process.env.PORT ?? 3000), hostname: '127.0.0.1' },
  ({ port }) => {
    console.log(`listening on http://127.0.0.1:${port}`)
  },
)
process.once('SIGTERM', () => server.close(() => void meter.close()))
