// A stream is metered without being asked for its usage; one that is left early is counted too, and says that it is an estimate.
// Run: OPENAI_API_KEY=... ANTHROPIC_API_KEY=... node examples/streaming.ts

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { Meter } from 'tallygate'

const meter = new Meter({
  onEvent: ({ provider, inputTokens, outputTokens, usageSource, costUsd }) =>
    console.log(`\n[${provider}: ${inputTokens} in, ${outputTokens} out, ${usageSource}, $${costUsd}]`),
})
meter.patchAll()

await meter.forTenant('acme', async () => {
  const stream = await new OpenAI().chat.completions.create({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'Name three rivers.' }],
    stream: true,
  })
  // No `stream_options` were asked for: the caller sees no extra chunk, and the event has the usage all the same.
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')

  const message = new Anthropic().messages.stream({
    model: 'claude-sonnet-5',
    max_tokens: 200,
    messages: [{ role: 'user', content: 'Name three mountains.' }],
  })
  let shown = 0
  for await (const event of message) {
    if (event.type !== 'content_block_delta' || event.delta.type !== 'text_delta') continue
    process.stdout.write(event.delta.text)
    if (++shown === 2) break
  }
})

await meter.close()
