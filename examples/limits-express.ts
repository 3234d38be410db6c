// A tenant whose money is spent gets an upgrade prompt instead of an answer, before anything is sent to the provider.
// Run: OPENAI_API_KEY=... node examples/limits-express.ts, then: curl -H 'x-tenant: acme' localhost:3000/ask

import type { AddressInfo } from 'node:net'
import express from 'express'
import OpenAI from 'openai'
import { LimitExceededError, Meter } from 'tallygate'

const meter = new Meter()
meter.patchAll()
await meter.setLimit('acme', { usd: 0.0005, per: 'day' })

const client = new OpenAI()
const app = express()

app.use((request, _response, next) => {
  meter.setTenant(request.get('x-tenant') ?? 'anonymous')
  next()
})

app.get('/ask', async (_request, response) => {
  try {
    const answer = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      max_tokens: 200,
      messages: [{ role: 'user', content: 'Tell me something about tides.' }],
    })
    response.json({ answer: answer.choices[0]?.message.content })
  } catch (error) {
    if (!(error instanceof LimitExceededError)) throw error
    response.status(402).json({ upgrade: 'https://example.com/upgrade', resetsAt: error.resetsAt })
  }
})

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('SIGTERM', () => server.close(() => void meter.close()))
