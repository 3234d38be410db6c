// Google's generateContent and its stream, Gemini API and Vertex AI.
// Shapes: @google/genai 3.1.0 genai.d.ts (GenerateContentResponse, GroundingMetadata).

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { groundingFees } from './google-grounding.ts'
import { modelOf } from './google-path.ts'
import { readUsageMetadata } from './google-usage.ts'
import { contentOutput } from './output-control.ts'
import { texts } from './prompt.ts'
import type { Asked, Json, Reading, RequestFacts, Route, StreamReader } from './provider.ts'
import { switches } from './switches.ts'

interface Candidate {
  finishReason?: unknown
  content?: { parts?: unknown } | null
  groundingMetadata?: unknown
}

function candidatesOf(answer: Json): (Candidate | null | undefined)[] {
  return Array.isArray(answer['candidates']) ? answer['candidates'] : []
}

/** Why a prompt was refused, where it was: then there is no candidate and nothing more will come. */
function blockedBy(answer: Json): unknown {
  return isObject(answer['promptFeedback']) ? answer['promptFeedback']['blockReason'] : undefined
}

export function readContent(answer: Json, model: string): Reading {
  const served = textOf(answer['modelVersion'])
  const fees = groundingFees(
    candidatesOf(answer).map((candidate) => candidate?.groundingMetadata),
    served ?? model,
  )
  return {
    ...readUsageMetadata(answer['usageMetadata'], fees),
    responseId: textOf(answer['responseId']),
    model: served,
    finishReason: codeOf(candidatesOf(answer)[0]?.finishReason ?? blockedBy(answer)),
  }
}

/** `usageMetadata` is a running total: the last one wins, and it is whole once a candidate has finished. */
function contentStream(_isPrepared: boolean, { facts }: Asked): StreamReader {
  let usage: unknown
  let id: unknown
  let model: unknown
  let finish: unknown
  /** By candidate: what it was grounded in is told once, or again and again in whole. */
  const grounded: unknown[] = []
  const generated: string[] = []
  return {
    take(event) {
      id ||= event['responseId']
      model ||= event['modelVersion']
      if (isObject(event['usageMetadata'])) usage = event['usageMetadata']
      for (const [index, candidate] of candidatesOf(event).entries()) {
        if (candidate?.groundingMetadata) grounded[index] = candidate.groundingMetadata
        if (candidate?.finishReason) finish = candidate.finishReason
        const parts = candidate?.content?.parts
        if (Array.isArray(parts)) for (const part of parts as unknown[]) takePart(part, generated)
      }
      finish ??= blockedBy(event)
      return event
    },
    reading() {
      const reading = readUsageMetadata(usage, groundingFees(grounded, textOf(model) ?? facts.model))
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

function factsOf(body: Json, path: string, stream: boolean): RequestFacts {
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

export const generate: Route = {
  endpoint: 'generateContent',
  path: /:generateContent$/,
  request: factsOf,
  requestFields: ['generationConfig'],
  output: contentOutput,
  fields: ['usageMetadata', 'responseId', 'modelVersion', 'candidates', 'promptFeedback'],
  read: (answer, { facts }) => readContent(answer, facts.model),
  readStream: contentStream,
  generated: (answer) => texts(answer['candidates']),
  prompt: (body) => texts(body['contents'], body['systemInstruction'], body['tools']),
}
