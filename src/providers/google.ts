// Google's wire, Gemini API and Vertex AI: generateContent, its stream, embedContent.
// Shapes: @google/genai 3.1.0 genai.d.ts (GenerateContentResponseUsageMetadata).

import type { Bucket } from '../usage.ts'
import { codeOf, counts, isObject, textOf, usageOf } from './counts.ts'
import { texts } from './prompt.ts'
import type { Json, Provider, Reading, RequestFacts, Route, StreamReader } from './provider.ts'
import { switches } from './switches.ts'

type Modality = 'text' | 'image' | 'audio' | 'video'

const MODALITIES: Readonly<Record<string, Modality>> = {
  TEXT: 'text',
  // A document is counted, and priced, as text.
  DOCUMENT: 'text',
  IMAGE: 'image',
  AUDIO: 'audio',
  VIDEO: 'video',
}

/**
 * `promptTokenCount` includes cached tokens; `candidatesTokenCount` excludes thoughts, and the prompt of tools stands
 * apart: total = prompt + candidates + tool-use prompt + thoughts (genai.d.ts, doc comment of totalTokenCount).
 */
export function readUsageMetadata(usage: unknown): Pick<Reading, 'usage' | 'flags' | 'isPartial' | 'serviceTier'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const prompt = count.of(usage, 'promptTokenCount')
  const cached = count.of(usage, 'cachedContentTokenCount')
  const candidates = count.of(usage, 'candidatesTokenCount')
  const thoughts = count.of(usage, 'thoughtsTokenCount')
  const toolUse = count.of(usage, 'toolUsePromptTokenCount')
  if (cached > prompt) count.flag('subset', 'promptTokenCount')
  if (
    count.has(usage, 'totalTokenCount') &&
    count.of(usage, 'totalTokenCount') !== prompt + candidates + toolUse + thoughts
  )
    count.flag('sum', 'totalTokenCount')

  const reads = byModality(count, usage, 'cacheTokensDetails', Math.min(cached, prompt))
  const asked = byModality(count, usage, 'promptTokensDetails', prompt)
  const answered = byModality(count, usage, 'candidatesTokensDetails', candidates)
  const quantities: { [B in Bucket]?: number } = {
    'input.text.tool_use': toolUse,
    'output.reasoning': thoughts,
    'output.text': answered.text,
    'output.image': answered.image,
    'output.audio': answered.audio,
    'output.video': answered.video,
  }
  // A cached token whose modality the prompt does not list is taken as uncached of that modality's: the dearer reading.
  let unplaced = 0
  for (const modality of ['text', 'image', 'audio', 'video'] as const) {
    const read = Math.min(reads[modality], asked[modality])
    unplaced += reads[modality] - read
    quantities[`input.${modality}`] = asked[modality] - read
    quantities[`input.${modality}.cache_read`] = read
  }
  if (unplaced > 0) count.flag('subset', 'cacheTokensDetails')

  const reading: { usage: Reading['usage']; flags?: string[]; isPartial?: boolean; serviceTier?: string } = {
    usage: usageOf(quantities),
  }
  if (count.flags.length > 0) reading.flags = count.flags
  if (count.isBroken || !count.has(usage, 'promptTokenCount')) reading.isPartial = true
  const tier = codeOf(usage['trafficType']) ?? codeOf(usage['serviceTier'])
  if (tier !== undefined) reading.serviceTier = tier
  return reading
}

/** The count by modality; what the list does not cover is text, and a list that says more than the count is cut to it. */
function byModality(
  count: ReturnType<typeof counts>,
  usage: Json,
  field: string,
  all: number,
): Record<Modality, number> {
  const split: Record<Modality, number> = { text: 0, image: 0, audio: 0, video: 0 }
  const list = usage[field]
  let rest = all
  if (Array.isArray(list)) {
    let sum = 0
    for (const entry of list) {
      const quantity = count.of(entry, 'tokenCount')
      const modality = MODALITIES[String((entry as Json | null)?.['modality'])] ?? 'text'
      sum += quantity
      const taken = Math.min(quantity, rest)
      split[modality] += taken
      rest -= taken
    }
    if (sum > all) count.flag('sum', field)
  }
  split.text += rest
  return split
}

function readAnswer(answer: Json): Reading {
  const candidates = answer['candidates']
  const first = Array.isArray(candidates) ? (candidates[0] as Json | undefined) : undefined
  return {
    ...readUsageMetadata(answer['usageMetadata']),
    responseId: textOf(answer['responseId']),
    model: textOf(answer['modelVersion']),
    finishReason: codeOf(first?.['finishReason']),
  }
}

/** `usageMetadata` is a running total: the last one wins, and it is whole once a candidate has finished. */
function contentStream(): StreamReader {
  let usage: unknown
  let id: unknown
  let model: unknown
  let finish: unknown
  const generated: string[] = []
  return {
    take(event) {
      id ??= event['responseId']
      model ??= event['modelVersion']
      if (event['usageMetadata']) usage = event['usageMetadata']
      const candidates = event['candidates'] as { finishReason?: unknown; content?: { parts?: unknown } }[] | undefined
      if (Array.isArray(candidates)) {
        for (const candidate of candidates) {
          if (candidate?.finishReason) finish = candidate.finishReason
          const parts = candidate?.content?.parts
          if (!Array.isArray(parts)) continue
          for (const part of parts as { text?: unknown }[])
            if (typeof part?.text === 'string') generated.push(part.text)
        }
      }
      return event
    },
    reading() {
      const reading = readUsageMetadata(usage)
      return {
        ...reading,
        ...(finish === undefined && reading.usage && { isPartial: true }),
        responseId: textOf(id),
        model: textOf(model),
        finishReason: codeOf(finish),
      }
    },
    generated: () => generated,
  }
}

function facts(body: Json, path: string, stream: boolean): RequestFacts {
  const config = isObject(body['generationConfig']) ? body['generationConfig'] : {}
  const metadata = switches(config, ['temperature', 'topP', 'topK', 'candidateCount', 'maxOutputTokens', 'seed'], [])
  const cap = config['maxOutputTokens']
  const choices = config['candidateCount']
  return {
    model: modelOf(path),
    stream,
    ...(typeof cap === 'number' &&
      cap >= 0 && { maxOutputTokens: cap * (typeof choices === 'number' && choices > 1 ? choices : 1) }),
    ...(metadata && { metadata }),
  }
}

/** `models/gemini-3-pro:generateContent`, or Vertex's `publishers/google/models/gemini-3-pro:generateContent`. */
function modelOf(path: string): string {
  const end = path.lastIndexOf(':')
  return path.slice(path.lastIndexOf('/', end) + 1, end) || 'unknown'
}

const generate: Route = {
  endpoint: 'generateContent',
  path: /:generateContent$/,
  request: facts,
  requestFields: ['generationConfig'],
  fields: ['usageMetadata', 'responseId', 'modelVersion', 'candidates'],
  read: readAnswer,
  readStream: contentStream,
  prompt: (body) => texts(body['contents'], body['systemInstruction'], body['tools']),
}

export const google: Provider = {
  name: 'google',
  sdk: 'google',
  hosts: /^(?:generativelanguage|(?:[a-z0-9-]+-)?aiplatform(?:\.[a-z0-9-]+\.rep)?)\.googleapis\.com$/,
  routes: [
    generate,
    { ...generate, path: /:streamGenerateContent$/ },
    {
      endpoint: 'embedContent',
      path: /:(?:batchEmbedContents|embedContent)$/,
      request: (_body, path) => ({ model: modelOf(path), stream: false, maxOutputTokens: 0 }),
      requestFields: [],
      fields: ['usageMetadata'],
      read: readAnswer,
      prompt: (body) => texts(body['requests'], body['content'], body['contents']),
    },
  ],
}
