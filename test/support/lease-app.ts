// One process of several that share limits over a server: calls until it is refused, and tells what happened.

import OpenAI from 'openai'
import { LimitExceededError, Meter } from 'tallygate'

const { URL_OF_EVENTS, KEY, BASE_URL, HOSTS = '{}', AT_ONCE = '10' } = process.env
const meter = new Meter({ url: URL_OF_EVENTS, apiKey: KEY, hosts: JSON.parse(HOSTS) as Record<string, string> })
meter.patchAll()
const openai = new OpenAI({ apiKey: 'key', baseURL: BASE_URL, maxRetries: 0 })
let calls = 0
let refusals = 0

/** A refusal may be of this moment only: others give back what they held. */
async function work(): Promise<void> {
  for (let inARow = 0; inARow < 5; ) {
    try {
      await meter.forTenant('acme', () =>
        openai.chat.completions.create({
          model: 'gpt-4o',
          messages: [{ role: 'user', content: 'Hi' }],
          max_tokens: 1000,
        }),
      )
      calls++
      inARow = 0
    } catch (error) {
      const refusal = LimitExceededError.from(error)
      if (!refusal) throw error
      refusals++
      inARow++
      // As an application shows its upgrade prompt: money that comes back within the heartbeat is found by the next try.
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  }
}

await Promise.all(Array.from({ length: Number(AT_ONCE) }, work))
await meter.close()
process.stdout.write(JSON.stringify({ calls, refusals }))
