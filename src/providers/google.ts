// Google's wire, Gemini API and Vertex AI: generateContent, its stream, embedContent.
// Shapes: @google/genai 3.1.0 genai.d.ts (GenerateContentResponseUsageMetadata).

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { readUsageMetadata } from './google-usage.ts'
import { texts } from './prompt.ts'
import type { Json, Provider, Reading, RequestFacts, Route, StreamReader } from './provider.ts'
import { switches } from './switches.ts'

interface Candidate {
  finishReason?: unknown
  content?: { parts?: unknown } | null
}

function candidatesOf(answer: Json): (Candidate | null | undefined)[] {
  return Array.isArray(answer['candidates']) ? answer['candidates'] : []
}

/** Why a prompt was refused, where it was: then there is no candidate and nothing more will come. */
function blockedBy(answer: Json): unknown {
  return isObject(answer['promptFeedback']) ? answer['promptFeedback']['blockReason'] : undefined
}

function readAnswer(answer: Json): Reading {
  return {
    ...readUsageMetadata(answer['usageMetadata']),
    responseId: textOf(answer['responseId']),
    model: textOf(answer['modelVersion']),
    finishReason: codeOf(candidatesOf(answer)[0]?.finishReason ?? blockedBy(answer)),
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
      id ||= event['responseId']
      model ||= event['modelVersion']
      if (isObject(event['usageMetadata'])) usage = event['usageMetadata']
      for (const candidate of candidatesOf(event)) {
        if (candidate?.finishReason) finish = candidate.finishReason
        const parts = candidate?.content?.parts
        if (Array.isArray(parts)) for (const part of parts as unknown[]) takePart(part, generated)
      }
      finish ??= blockedBy(event)
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

function takePart(part: unknown, generated: string[]): void {
  if (!isObject(part)) return
  if (typeof part['text'] === 'string') generated.push(part['text'])
  // A call comes whole, not in pieces.
  else if (part['functionCall'] || part['executableCode'])
    generated.push(...texts(part['functionCall'], part['executableCode']))
}

const SWITCHES = new Set(['temperature', 'topP', 'topK', 'candidateCount', 'maxOutputTokens', 'seed'])

function facts(body: Json, path: string, stream: boolean): RequestFacts {
  const config = isObject(body['generationConfig']) ? body['generationConfig'] : {}
  const metadata = switches(config, SWITCHES, [])
  const cap = capOf(config['maxOutputTokens'], config['candidateCount'])
  return {
    model: modelOf(path),
    stream,
    ...(cap !== undefined && { maxOutputTokens: cap }),
    ...(metadata && { metadata }),
  }
}

/** `models/gemini-3-pro:generateContent`, or Vertex's `publishers/google/models/gemini-3-pro:generateContent`. */
function modelOf(path: string): string {
  const end = path.lastIndexOf(':')
  return textOf(path.slice(path.lastIndexOf('/', end) + 1, end)) ?? 'unknown'
}

const generate: Route = {
  endpoint: 'generateContent',
  path: /:generateContent$/,
  request: facts,
  requestFields: ['generationConfig'],
  fields: ['usageMetadata', 'responseId', 'modelVersion', 'candidates', 'promptFeedback'],
  read: readAnswer,
  readStream: contentStream,
  generated: (answer) => texts(answer['candidates']),
  prompt: (body) => texts(body['contents'], body['systemInstruction'], body['tools']),
}

export const google: Provider = {
  name: 'google',
  wire: 'google',
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
      // The Gemini API gives none for most of its embedding models.
      isUsageOptional: true,
      generated: () => [],
      prompt: (body) => texts(body['requests'], body['content'], body['contents']),
    },
  ],
}
