// An endpoint that is away for a while, and then back with bad manners. `npm run bench:outage` is the long form, with figures.

import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { outageScene } from '../support/outage.ts'

test('an endpoint that goes away, comes back and loses answers has every event once in the end', async () => {
  using folder = temporaryFolder()
  const { recorded, lost, doubled, messages } = await outageScene({
    folder: folder.path,
    eventsPerSecond: 500,
    wellSeconds: 0.3,
    downSeconds: 1.5,
    unwellSeconds: 1.5,
  })
  expect(recorded).toBeGreaterThan(1500)
  expect([lost, doubled]).toEqual([[], 0])
  // Once for each time that it fails anew, and not for each attempt.
  expect(messages.length).toBeGreaterThan(0)
  expect(messages.length).toBeLessThan(20)
})
