// Google's embeddings, as the Gemini API and Vertex AI answer them.

import { type Counts, generate, reported } from './generation.ts'
import { asGoogle, usageMetadata } from './google-content.ts'
import { NOTHING } from './openai-media.ts'
import { type Answer, asCount, type Call, isJson, type Json } from './wire.ts'
import { countTokens, sampleVector } from './words.ts'

export function embeddings(
  { reply, body }: Call,
  model: string,
  requests: readonly unknown[],
  shape: (values: readonly Json[]) => Json,
): Answer {
  const asked = requests.filter(isJson)
  const tokens = countTokens(asked.map(({ content }) => (isJson(content) ? content.parts : content)))
  const counts = asGoogle(generate({ tokens, cap: 0, serial: '' }, { ...reply, text: '', webSearches: 0 }).counts)
  const values = asked.map((request) => {
    const dimensions = asCount(request.outputDimensionality) ?? asCount(body.outputDimensionality) ?? 3072
    return { values: sampleVector(JSON.stringify(request.content ?? ''), dimensions) }
  })
  const usage = (counts: Counts) => usageMetadata(counts, {})
  return {
    status: 200,
    json: { ...shape(values), usageMetadata: reported(reply, usage(counts)) },
    billable: {
      model,
      endpoint: asked.length === 1 && 'content' in body ? 'embedContent' : 'batchEmbedContents',
      terms: {},
      counts,
      usage,
    },
  }
}

/** Vertex AI's older way: a prediction an instance; text models are charged by the character. */
export function predictedEmbeddings({ body, reply }: Call, model: string): Answer {
  const instances = (Array.isArray(body.instances) ? (body.instances as unknown[]) : []).filter(isJson)
  const tokens = instances.map(({ content }) => countTokens(content))
  const billableCharacterCount = instances.reduce(
    (sum, { content }) => sum + String(content).replace(/\s/g, '').length,
    0,
  )
  const isByCharacter = !model.startsWith('gemini')
  const counts = isByCharacter ? NOTHING : { ...NOTHING, input: tokens.reduce((sum, one) => sum + one, 0) }
  const predictions = instances.map(({ content }, index) => ({
    embeddings: {
      values: sampleVector(String(content), 3),
      statistics: { truncated: false, token_count: tokens[index] },
    },
  }))
  const metadata = reported(reply, { billableCharacterCount })
  return {
    status: 200,
    json: { predictions, metadata },
    billable: {
      model,
      endpoint: 'predict',
      terms: {},
      counts,
      ...(isByCharacter && { extras: { characters: billableCharacterCount } }),
      usage: () => ({ billableCharacterCount }),
    },
  }
}
