// Express: a tenant whose money is spent gets an upgrade prompt instead of an answer, before anything is sent to the provider.
// Run: OPENAI_API_KEY=... node examples/limits-express.ts, then: curl -H 'x-tenant: acme' localhost:3000/ask

import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import OpenAI from 'openai'
import { LimitExceededError, Meter } from 'tallygate'
import { answerRefusals, meterRequests } from 'tallygate/express'

const meter = new Meter()
meter.patchAll()
await meter.setLimit('acme', { usd: 0.0005, per: 'day' })

const client = new OpenAI()
const app = express()

// Behind a gateway of yours that sets these headers; else give `tenant: (request) => ...` and look at your session.
app.use(meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }))

app.get('/ask', async (_request, response) => {
  const answer = await client.chat.completions.create({
    model: 'gpt-4o-mini',
    max_tokens: 200,
    messages: [{ role: 'user', content: 'Tell me something about tides.' }],
  })
  response.json({ answer: answer.choices[0]?.message.content })
})

const upgradePrompt: ErrorRequestHandler = (error, request, response, next) => {
  const refusal = LimitExceededError.from(error)
  // A program gets the figures, below; a person gets a page to upgrade on.
  if (!refusal || !request.accepts('html')) next(error)
  else
    response.status(402).send(`<a href="https://example.com/upgrade">You have used $${refusal.limitUsd}: upgrade</a>`)
}
app.use(upgradePrompt)
app.use(answerRefusals())

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('SIGTERM', () => server.close(() => void meter.close()))
