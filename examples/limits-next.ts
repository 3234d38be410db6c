// Next.js: a route handler, `app/api/ask/route.ts`, that upgrades a tenant whose money is spent.
// In an application this file ends with `export const GET = ...`; here node:http stands in for Next.js, so that it runs.

import { serve } from '@hono/node-server'
import OpenAI from 'openai'
import { Meter } from 'tallygate'
import { meterRequests, refusalAnswer } from 'tallygate/next'

const meter = new Meter()
meter.patchAll()
await meter.setLimit('acme', { usd: 0.0005, per: 'day' })

const client = new OpenAI()

export const GET = meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }, async () => {
  try {
    const answer = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      max_tokens: 200,
      messages: [{ role: 'user', content: 'Tell me something about tides.' }],
    })
    return Response.json({ answer: answer.choices[0]?.message.content })
  } catch (error) {
    const refusal = refusalAnswer(error)
    if (!refusal) throw error
    // Your own words; without this, the figures alone are the answer.
    return Response.json({ ...refusal.body, upgrade: 'https://example.com/upgrade' }, { status: 402 })
  }
})

const server = serve({ fetch: GET, port: Number(process.env.PORT ?? 3000), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => server.close(() => void meter.close()))
