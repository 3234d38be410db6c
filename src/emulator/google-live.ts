// Google's Live API: a turn for what is written, or for a second of sound.

import { type Counts, generate, inputTotal, progressOf, reported } from './generation.ts'
import type { Opening, Step, Talk } from './sockets.ts'
import { type Answer, asCount, type Call, isJson, type Json, type SseEvent } from './wire.ts'
import { countTokens } from './words.ts'

/** 16 kHz, 16 bits. */
const SPOKEN_BYTES = 32_000

export function googleTalk({ path, serial }: Opening): Talk | undefined {
  if (!/BidiGenerateContent(?:Constrained)?$/.test(path)) return undefined
  let setup: Json = {}
  const turns: unknown[] = []
  let heard = 0
  const respond = (body: Json): Step => ({ body, answer: (call) => turn(call, setup, turns) })
  return {
    greeting: [],
    failure: (_call, message) => ({ error: { code: 500, message, status: 'INTERNAL' } }),
    hear(message) {
      const { clientContent, realtimeInput, toolResponse } = message
      if (isJson(message.setup)) {
        setup = message.setup
        return [{ say: { setupComplete: { sessionId: `session_${serial}` } } }]
      }
      if (isJson(clientContent)) {
        turns.push(clientContent.turns)
        return clientContent.turnComplete === false ? [] : [respond(message)]
      }
      if (isJson(toolResponse)) {
        turns.push(toolResponse)
        return [respond(message)]
      }
      if (!isJson(realtimeInput)) return []
      const { audio, text } = realtimeInput
      if (text !== undefined) turns.push(text)
      heard += isJson(audio) ? Buffer.byteLength(String(audio.data), 'base64') : 0
      if (text === undefined && heard < SPOKEN_BYTES) return []
      heard = 0
      return [respond({ realtimeInput: {} })]
    },
  }
}

function turn(call: Call, setup: Json, turns: readonly unknown[]): Answer {
  const { reply, serial } = call
  const { audioOutputTokens = 0, toolCalls = [] } = reply
  const config = isJson(setup.generationConfig) ? setup.generationConfig : {}
  const tokens = countTokens([setup.systemInstruction, setup.tools, turns])
  const generation = generate({ tokens, cap: asCount(config.maxOutputTokens), serial }, { ...reply, webSearches: 0 })
  const { counts, choices } = generation
  const progress = progressOf(generation)
  const usage = (of: Counts): Json => usageOf(of, audioOutputTokens)
  const usageMetadata = reported(reply, usage(counts))
  const parts: SseEvent[] = (choices[0]?.pieces ?? []).map((text) => ({
    data: { serverContent: { modelTurn: { role: 'model', parts: [{ text }] } } },
    generated: progress(),
  }))
  const sound = Buffer.alloc(2000 * audioOutputTokens).toString('base64')
  if (audioOutputTokens > 0)
    parts.push({
      data: {
        serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: 'audio/pcm;rate=24000', data: sound } }] } },
      },
    })
  const functionCalls = (choices[0]?.toolCalls ?? []).map(({ name, args, id }) => ({ name, args, id }))
  const end: SseEvent[] =
    toolCalls.length > 0
      ? [{ data: { toolCall: { functionCalls }, usageMetadata } }]
      : [
          { data: { serverContent: { generationComplete: true } } },
          { data: { serverContent: { turnComplete: true }, usageMetadata } },
        ]
  return {
    status: 200,
    events: [...parts, ...end],
    billable: {
      model: String(setup.model).replace(/^.*\//, ''),
      endpoint: 'live',
      terms: {},
      counts,
      extras: { audioOutput: audioOutputTokens },
      usage,
    },
  }
}

function usageOf(counts: Counts, audioOutput: number): Json {
  const { audioInput, toolUse, reasoning, output, cacheRead } = counts
  const prompt = inputTotal(counts)
  const response = output + audioOutput
  const listed = (entries: Readonly<Record<string, number>>) =>
    Object.entries(entries)
      .filter(([, tokenCount]) => tokenCount > 0)
      .map(([modality, tokenCount]) => ({ modality, tokenCount }))
  return {
    promptTokenCount: prompt,
    responseTokenCount: response,
    // Without the thoughts, as the Live API adds it up.
    totalTokenCount: prompt + response + toolUse,
    promptTokensDetails: listed({ TEXT: prompt - audioInput, AUDIO: audioInput }),
    responseTokensDetails: listed({ TEXT: output, AUDIO: audioOutput }),
    ...(reasoning > 0 && { thoughtsTokenCount: reasoning }),
    ...(cacheRead > 0 && { cachedContentTokenCount: cacheRead }),
    ...(toolUse > 0 && { toolUsePromptTokenCount: toolUse }),
  }
}
