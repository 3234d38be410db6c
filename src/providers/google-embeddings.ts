// Google's embeddings, Gemini API and Vertex AI.
// Shapes: @google/genai 3.1.0, what its `embedContentResponseFromMldev` and `...FromVertex` take: SDKs before 3.0 keep
// the usage from their callers, so it is read from the answer itself.

import { counts, isObject, type Quantities, textOf } from './counts.ts'
import { modelOf } from './google-path.ts'
import { readUsageMetadata } from './google-usage.ts'
import { texts } from './prompt.ts'
import type { Asked, Json, Reading, RequestFacts, Route } from './provider.ts'

function readEmbeddings(answer: Json): Reading {
  return { ...readUsageMetadata(answer['usageMetadata']), model: textOf(answer['modelVersion']) }
}

/**
 * Vertex AI's older way. Its text models are billed by the character, which the answer counts; Gemini's by the token
 * (cloud.google.com/vertex-ai/generative-ai/pricing).
 */
function readPredictions(answer: Json, { facts }: Asked): Reading {
  const predictions = Array.isArray(answer['predictions']) ? (answer['predictions'] as unknown[]) : []
  const statistics = predictions.map((one) =>
    isObject(one) && isObject(one['embeddings']) ? one['embeddings']['statistics'] : undefined,
  )
  const count = counts()
  const { metadata } = answer
  if (metadata === undefined && !statistics.some((one) => isObject(one))) return {}
  const isByCharacter = !facts.model.startsWith('gemini')
  const quantities: Quantities = isByCharacter
    ? { 'unit.input_characters': count.need(metadata, 'billableCharacterCount') }
    : { 'input.text': statistics.reduce<number>((sum, one) => sum + count.need(one, 'token_count'), 0) }
  const reading = count.reading(quantities, isObject(metadata) ? metadata : {}, ['billableCharacterCount'])
  const characterCount = quantities['unit.input_characters']
  return { ...reading, ...(characterCount !== undefined && { figures: { characterCount } }) }
}

const embedding = {
  endpoint: 'embedContent',
  request: (_body: Json, path: string): RequestFacts => ({ model: modelOf(path), stream: false, maxOutputTokens: 0 }),
  requestFields: [],
  // The Gemini API gives none for most of its embedding models.
  isUsageOptional: true,
  generated: () => [],
} as const

export const embeddingRoutes: readonly Route[] = [
  {
    ...embedding,
    path: /:(?:batchEmbedContents|embedContent)$/,
    fields: ['usageMetadata', 'modelVersion'],
    read: readEmbeddings,
    prompt: (body) => texts(body['requests'], body['content'], body['contents']),
  },
  {
    ...embedding,
    path: /embedding[^/:]*:predict$/,
    fields: ['predictions', 'metadata'],
    read: readPredictions,
    prompt: ({ instances }) =>
      Array.isArray(instances) ? texts(...(instances as unknown[]).map((one) => isObject(one) && one['content'])) : [],
  },
]
