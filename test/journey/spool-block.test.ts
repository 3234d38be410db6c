// `onSpoolFull: 'block'`: the one setting under which a call may wait.

import { expect, test, vi } from 'vitest'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'
import { PATIENT } from '../support/patience.ts'

test('calls wait while the spool is full, go on when the endpoint has taken some of it, and none is lost', async () => {
  using folder = temporaryFolder()
  await using server = await ingest()
  let isDown = true
  const answer = () => (isDown ? new Response(null, { status: 503 }) : undefined)
  server.misbehave(...Array.from({ length: 10_000 }, () => answer))
  await using app = await metered({
    url: server.url,
    apiKey: API_KEY,
    dir: folder.path,
    maxSpoolBytes: 65_536,
    onSpoolFull: 'block',
    flushIntervalMs: 20,
  })
  let answered = 0
  const call = () => app.chat().then(() => void answered++)
  const messages = () => app.problems.map(({ message }) => message)
  while (!messages().some((message) => message.includes('new calls wait'))) await call()
  const before = answered
  const asked = app.emulator.requests.length
  const held = Promise.all(Array.from({ length: 20 }, call))
  // They are held before they are sent: whatever else happens meanwhile, the provider hears nothing of them.
  await app.meter.flush()
  await app.meter.flush()
  expect([answered, app.emulator.requests.length]).toEqual([before, asked])
  isDown = false
  await vi.waitFor(async () => {
    await app.meter.flush()
    expect(answered).toBe(before + 20)
  }, PATIENT)
  await held
  await vi.waitFor(async () => {
    await app.meter.flush()
    expect(app.meter.stats().delivery.queued).toBe(0)
  }, PATIENT)
  const ids = (await server.ledger.events({ limit: 10_000 })).map(({ eventId }) => eventId)
  expect([ids.length, new Set(ids).size]).toEqual([answered, answered])
  expect(app.meter.stats().delivery).toMatchObject({ dropped: 0, queued: 0 })
})
