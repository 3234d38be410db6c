// One call of a model, and what the meter says of it.

import OpenAI from 'openai'
import { Meter } from 'tallygate'

export const dynamic = 'force-dynamic'

if (process.env.HOW === 'modules') {
  const meter = new Meter()
  meter.patch('openai', { modules: [OpenAI] })
  globalThis.meter = meter
}

export async function GET() {
  const meter = process.env.HOW === 'register' ? (await import('tallygate/register')).meter : globalThis.meter
  const client = new OpenAI({ apiKey: 'any', baseURL: process.env.LLM_URL })
  await client.chat.completions.create({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'How deep is the sea?' }],
  })
  await meter.flush()
  await new Promise((resolve) => setImmediate(resolve))
  const { calls, coverage } = meter.stats()
  return Response.json({ calls, coverage, said: globalThis.said })
}
