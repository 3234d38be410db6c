// A call that no patch sees is told by hand: priced, counted against the tenant's limits and delivered like any other.
// Run: node examples/manual-tracking.ts

import { Meter } from 'tallygate'

const meter = new Meter()
await meter.setLimit('acme', { usd: 1 })

meter.trackManually({
  tenantId: 'acme',
  provider: 'cohere',
  model: 'command-r-plus',
  endpoint: 'chat',
  inputTokens: 512,
  outputTokens: 128,
  feature: 'search',
})

// What the provider billed wins over the price book.
meter.trackManually({
  tenantId: 'acme',
  provider: 'replicate',
  model: 'some/image-model',
  imageCount: 1,
  costUsd: '0.04',
})

await meter.flush()
for (const { window, limitUsd, spentUsd } of await meter.limits('acme'))
  console.log(`${spentUsd} of ${limitUsd} USD per ${window}`)

await meter.close()
