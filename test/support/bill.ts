// The emulator's bill in the words of an event: which bucket each unit of it is.

import type { BillLine } from '../../src/emulator/index.ts'
import type { Bucket, LLMEvent, Usage } from '../../src/index.ts'

const BUCKETS: Readonly<Record<string, Bucket>> = {
  input: 'input.text',
  audioInput: 'input.audio',
  cacheRead: 'input.text.cache_read',
  cacheWrite: 'input.text.cache_write',
  cacheWrite1h: 'input.text.cache_write_1h',
  imageInput: 'input.image',
  imageCacheRead: 'input.image.cache_read',
  output: 'output.text',
  reasoning: 'output.reasoning',
  audioOutput: 'output.audio',
  imageOutput: 'output.image',
  webSearch: 'fee.web_search',
  mapsSearch: 'fee.maps_search',
  fileSearch: 'fee.file_search',
  codeSession: 'fee.code_session',
  characters: 'unit.input_characters',
  inputSeconds: 'unit.input_seconds',
  outputSeconds: 'unit.output_seconds',
  images: 'unit.output_images',
  sessionSeconds: 'unit.session_seconds',
  cacheTokenHours: 'unit.cache_token_hours',
  trainedTokens: 'unit.trained_tokens',
}

/** What each model is billed for, by bucket. */
export function billedByModel(lines: readonly BillLine[]): Record<string, Usage> {
  const models: Record<string, Partial<Record<Bucket, number>>> = {}
  for (const { model, quantities, provider } of lines) {
    const usage = (models[model] ??= {})
    for (const [unit, quantity] of Object.entries(quantities)) {
      // Anthropic has two lives of a cache write, of which this is the shorter.
      const bucket = provider === 'anthropic' && unit === 'cacheWrite' ? 'input.text.cache_write_5m' : BUCKETS[unit]
      if (bucket === undefined) throw new Error(`No bucket for ${unit}`)
      usage[bucket] = (usage[bucket] ?? 0) + quantity
    }
  }
  return models
}

/** The same of an event. */
export function meteredByModel({ model, usage, usageByModel }: LLMEvent): Record<string, Usage> {
  return usageByModel ?? { [model]: usage ?? {} }
}
