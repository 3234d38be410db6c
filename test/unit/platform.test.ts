// Platforms that freeze a process after its answer: what they offer to wait for is picked up.

import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { eventOf, spooling, testSink } from '../support/spool.ts'

type Offer = (context: { waitUntil(work: Promise<unknown>): void }) => unknown

test.each<[string, string, Offer]>([
  ['Vercel', '@vercel/request-context', (context) => ({ get: () => context })],
  ['Next.js', '@next/request-context', (context) => ({ get: () => context })],
  ['Cloudflare by OpenNext', '__cloudflare-context__', (ctx) => ({ env: {}, ctx })],
])('%s waits until the events of a request are delivered, once for all of them', async (_, name, offer) => {
  using folder = temporaryFolder()
  const works: Promise<unknown>[] = []
  const holder = globalThis as Record<symbol, unknown>
  const symbol = Symbol.for(name)
  holder[symbol] = offer({ waitUntil: (work) => void works.push(work) })
  try {
    const sink = testSink()
    await using run = spooling(folder.path, [sink])
    run.delivery.add(eventOf(1))
    run.delivery.add(eventOf(2))
    expect(works).toHaveLength(1)
    await works[0]
    expect(sink.taken).toEqual(['e1', 'e2'])
    run.delivery.add(eventOf(3))
    expect(works).toHaveLength(2)
    await Promise.all(works)
    expect(sink.taken).toHaveLength(3)
  } finally {
    delete holder[symbol]
  }
})
