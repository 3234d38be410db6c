// Google's wire on a WebSocket: the Live API, a turn at a time.
// Shapes: @google/genai 3.1.0 genai.d.ts (LiveServerMessage, UsageMetadata).

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { readUsageMetadata } from './google-usage.ts'
import { texts } from './prompt.ts'
import { type Json, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set(['temperature', 'topP', 'topK', 'maxOutputTokens', 'seed'])

/**
 * `UsageMetadata` calls the output `response...` where a call over HTTP says `candidates...`. Its total leaves thoughts
 * out (seen of gemini-3.8-live: prompt 522, response 42, thoughts 136, total 564), against its own doc comment.
 */
function inCallTerms(usage: Json): Json {
  const { responseTokenCount, responseTokensDetails, thoughtsTokenCount: thoughts, totalTokenCount: total } = usage
  const response = responseTokenCount ?? usage['candidatesTokenCount']
  const parts = [usage['promptTokenCount'], response, usage['toolUsePromptTokenCount']].map((part) => part ?? 0)
  const isWithoutThoughts =
    typeof thoughts === 'number' && thoughts > 0 && total === parts.reduce((sum: number, part) => sum + Number(part), 0)
  return {
    ...usage,
    candidatesTokenCount: response,
    candidatesTokensDetails: responseTokensDetails ?? usage['candidatesTokensDetails'],
    totalTokenCount: isWithoutThoughts ? (total as number) + thoughts : total,
  }
}

/** The numbers as they came. */
function totalsOf(usage: Json): Record<string, number> {
  const totals: Record<string, number> = {}
  for (const name in usage) if (typeof usage[name] === 'number') totals[name] = usage[name]
  return totals
}

/** Of what came in one turn, the last usage counts. */
function turnStream(): StreamReader {
  let usage: Json | undefined
  let finish: string | undefined
  const generated: string[] = []
  return {
    take(message) {
      const { usageMetadata, serverContent, toolCall } = message
      if (isObject(usageMetadata)) usage = usageMetadata
      if (isObject(toolCall)) {
        generated.push(...texts(toolCall['functionCalls']))
        finish = 'tool_call'
      }
      if (!isObject(serverContent)) return message
      const { modelTurn, outputTranscription, interrupted, turnComplete, turnCompleteReason } = serverContent
      for (const said of [modelTurn, outputTranscription]) generated.push(...textsOf(said))
      if (turnComplete === true) finish = codeOf(turnCompleteReason) ?? finish ?? 'turn_complete'
      if (interrupted === true) finish = 'interrupted'
      return message
    },
    reading(): Reading {
      const reading = usage ? readUsageMetadata(inCallTerms(usage)) : {}
      return {
        ...reading,
        ...(usage && reading.reported && { reported: totalsOf(usage) }),
        ...(reading.usage && finish === undefined && { isPartial: true }),
        finishReason: finish,
      }
    },
    generated: () => generated,
  }
}

function textsOf(said: unknown): string[] {
  if (!isObject(said)) return []
  if (typeof said['text'] === 'string') return [said['text']]
  const parts = Array.isArray(said['parts']) ? (said['parts'] as unknown[]) : []
  return parts.flatMap((part) => (isObject(part) && typeof part['text'] === 'string' ? [part['text']] : []))
}

/** The body: `{ model, config, event }`, of which `event` is the message that asked for the turn. */
export const googleLive: Route = {
  endpoint: 'live',
  method: 'socket',
  path: /\/BidiGenerateContent$/,
  request({ model, config }) {
    const settings = isObject(config) ? config : {}
    const name = textOf(model)
    return {
      model: name?.slice(name.lastIndexOf('/') + 1) ?? UNKNOWN_MODEL,
      stream: true,
      maxOutputTokens: capOf(settings['maxOutputTokens']),
      metadata: switches(settings, SWITCHES, ['tools']),
    }
  },
  fields: [],
  read: () => ({}),
  readStream: turnStream,
  generated: () => [],
  prompt(body) {
    const config = isObject(body['config']) ? body['config'] : {}
    return texts(config['systemInstruction'], config['tools'], body['event'])
  },
}
