// Fastify: who pays comes from the session, and a tenant whose money is spent is answered with 402 and the figures.
// Run: OPENAI_API_KEY=... node examples/limits-fastify.ts, then: curl -H 'authorization: acme-key' localhost:3000/ask

import Fastify, { type FastifyRequest } from 'fastify'
import OpenAI from 'openai'
import { Meter } from 'tallygate'
import { meterRequests } from 'tallygate/fastify'

const meter = new Meter()
meter.patchAll()
await meter.setLimit('acme', { usd: 0.0005, per: 'day' })

/** Yours: a table of keys, a session, a token that was verified. */
const CUSTOMERS: Record<string, { tenant: string; user: string }> = {
  'acme-key': { tenant: 'acme', user: 'u1' },
  'globex-key': { tenant: 'globex', user: 'u2' },
}
const customerOf = ({ headers }: FastifyRequest) => CUSTOMERS[headers.authorization ?? '']

const client = new OpenAI()
const app = Fastify()

await app.register(
  meterRequests(meter, {
    tenant: (request: FastifyRequest) => customerOf(request)?.tenant,
    attribution: (request) => ({ userId: customerOf(request)?.user, feature: 'ask' }),
  }),
)

app.get('/ask', async () => {
  const answer = await client.chat.completions.create({
    model: 'gpt-4o-mini',
    max_tokens: 200,
    messages: [{ role: 'user', content: 'Tell me something about tides.' }],
  })
  return { answer: answer.choices[0]?.message.content }
})

console.log(`listening on ${await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })}`)
process.once('SIGTERM', () => void app.close().then(() => meter.close()))
