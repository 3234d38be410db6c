// Every call through the SDK becomes one event with its tenant and its exact cost, in ./.tallygate/ledger.db.
// Run: OPENAI_API_KEY=... node examples/quickstart.ts, then: npx tallygate report

import OpenAI from 'openai'
import { Meter } from 'tallygate'

const meter = new Meter()
meter.patchAll()

const client = new OpenAI()

await meter.forTenant('acme', { feature: 'greeting', userId: 'u-17' }, async () => {
  const answer = await client.chat.completions.create({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'Say hello in five words.' }],
  })
  console.log(answer.choices[0]?.message.content)
})

await meter.close()
