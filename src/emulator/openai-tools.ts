// What OpenAI's own tools leave in a response: items of the output, and what they used.

import type { Counts } from './generation.ts'
import { type Drawing, drawingUsage } from './openai-media.ts'
import { type Call, isJson, type Json } from './wire.ts'

export function toolUsage(counts: Counts, drawing: Drawing): Json {
  return { image_gen: drawingUsage(drawing), web_search: { num_requests: counts.webSearches } }
}

export function drawerOf(body: Json): string {
  const tools = Array.isArray(body.tools) ? body.tools.filter(isJson) : []
  const named = tools.find((tool) => tool.type === 'image_generation')?.model
  return typeof named === 'string' ? named : 'gpt-image-2.6-sunburst'
}

/** What the provider's own tools leave in the output; each container is used twice. */
export function hostedItems({ reply, serial }: Call): Json[] {
  const { fileSearches = 0, codeSessions = 0, images = 0 } = reply
  const of = (type: string, count: number, more: (index: number) => Json): Json[] =>
    Array.from({ length: count }, (_, index) => ({
      id: `${type}_${serial}_${index}`,
      type,
      status: 'completed',
      ...more(index),
    }))
  return [
    ...of('file_search_call', fileSearches, () => ({ queries: ['emulated'], results: null })),
    ...of('code_interpreter_call', codeSessions * 2, (index) => ({
      code: 'print(1)',
      container_id: `cntr_${serial}_${index >> 1}`,
      outputs: null,
    })),
    ...of('image_generation_call', images, () => ({ result: 'iVBORw0KGgo=' })),
  ]
}
