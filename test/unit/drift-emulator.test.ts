// A provider that begins to bill tokens which nobody sent: found by the calls whose prompts were counted.

import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { Meter } from '../../src/meter.ts'
import type { Problem } from '../../src/problems.ts'
import { estimateTokens } from '../../src/providers/estimate.ts'
import { memorySink } from '../../src/sinks/memory.ts'

test('hidden tokens on the bill are a problem that names the model, the old ratio and the new one', async () => {
  const emulator = await startEmulator()
  const problems: Problem[] = []
  const meter = new Meter({
    sinks: [memorySink()],
    hosts: emulator.hosts,
    onProblem: (problem) => void problems.push(problem),
  })
  try {
    const client = meter.wrap(new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'key', maxRetries: 0 }))
    const content = 'The sea is deep, and nobody has seen the whole of its floor. '.repeat(60)
    const frame = { tokens: 7, low: 7, high: 7 }
    const { tokens } = await estimateTokens([content], 'gpt-4o', frame)
    let usd = 0
    const call = async (inputTokens: number) => {
      // Room for the call as it is counted, and not for each of its bytes as a token.
      usd += 0.0045
      await meter.setLimit('acme', { usd, per: 'total', mode: 'hard' })
      emulator.reply({ text: 'Deep.', inputTokens })
      await meter.forTenant('acme', () =>
        client.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content }], max_tokens: 5 }),
      )
      const [state] = await meter.limits('acme')
      usd = Number(state!.spentUsd)
    }
    for (let calls = 0; calls < 10; calls++) await call(tokens)
    await meter.flush()
    expect(problems).toEqual([])
    expect(meter.stats().tokenRatios['gpt-4o-2024-08-06'] ?? meter.stats().tokenRatios['gpt-4o']).toEqual({
      ratio: 1,
      calls: 10,
    })
    for (let calls = 0; calls < 4; calls++) await call(Math.round(tokens * 1.3))
    await meter.flush()
    expect(problems.map(({ kind, message }) => [kind, message])).toEqual([
      ['limit', expect.stringContaining('cost more than the most that it was taken to cost')],
      ['usage', expect.stringMatching(/^Tokenizer or hidden-token drift: .*"gpt-4o\S*" was 1\.00 .* is 0\.77\./)],
    ])
    // And what was refused in between, nothing.
    expect(meter.stats().refused).toBe(0)
  } finally {
    await meter.close()
    await emulator.close()
  }
})
