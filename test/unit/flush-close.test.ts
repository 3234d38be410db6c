// What `flush` and `close` are given, and what is said of what they cannot be.

import { expect, test } from 'vitest'
import { Meter } from '../../src/meter.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import { temporaryFolder } from '../support/ingest.ts'

test('`flush("x")` says what it expects', async () => {
  using dir = temporaryFolder()
  await using meter = new Meter({ sinks: [memorySink()], dir: dir.path })
  await expect(meter.flush('x' as never)).rejects.toMatchObject({
    code: 'BAD_INPUT',
    message: 'Expected `options` to be an object such as { durable: true }, got "x".',
  })
  await expect(meter.flush({ durable: 'yes' as never })).rejects.toMatchObject({
    message: 'Expected `durable` to be true or false, got "yes".',
  })
  await meter.flush()
  await meter.flush({ durable: true })
  await meter.flush({ durable: undefined })
})

test.each([
  [-1, '`-1`'],
  [Number.NaN, '`NaN`'],
  ['5000', '"5000"'],
])('`close(%j)` says what it expects, and closes nothing', async (deadline, got) => {
  using dir = temporaryFolder()
  const sink = memorySink()
  const meter = new Meter({ sinks: [sink], dir: dir.path })
  expect(() => meter.close(deadline as number)).toThrow(
    expect.objectContaining({
      code: 'BAD_INPUT',
      message: `Expected \`deadlineMs\` to be a number of milliseconds of 0 or more, got ${got}.`,
    }),
  )
  meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1, outputTokens: 1, tenantId: 'acme' })
  await meter.close()
  expect(sink.events).toHaveLength(1)
})

test('`close(Infinity)` takes all the time it needs, and no timer overflows', async () => {
  using dir = temporaryFolder()
  const warnings: string[] = []
  const listen = ({ name }: Error) => void warnings.push(name)
  process.on('warning', listen)
  const sink = memorySink()
  const meter = new Meter({ sinks: [sink], dir: dir.path })
  meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1, outputTokens: 1, tenantId: 'acme' })
  await meter.close(Number.POSITIVE_INFINITY)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  expect([sink.events.length, warnings]).toEqual([1, []])
})
