// What the pretended model makes of a request: texts, tool calls, and how many tokens of which kind.

import type { Reply, ToolCall } from './reply.ts'
import { countTokens, pieces, sampleText } from './words.ts'

/** Tokens by kind, each in one kind only. */
export interface Counts {
  /** Text neither read from nor written to a cache. */
  readonly input: number
  readonly audioInput: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly cacheWrite1h: number
  readonly toolUse: number
  /** Without reasoning. */
  readonly output: number
  readonly reasoning: number
  readonly webSearches: number
}

export const NOTHING: Counts = {
  input: 0,
  audioInput: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWrite1h: 0,
  toolUse: 0,
  output: 0,
  reasoning: 0,
  webSearches: 0,
}

export interface Choice {
  /** `undefined` where the answer is tool calls alone. */
  readonly pieces: readonly string[] | undefined
  readonly toolCalls: readonly Required<ToolCall>[]
  readonly end: 'stop' | 'length' | 'tool_calls'
}

export interface Generation {
  readonly choices: readonly Choice[]
  readonly counts: Counts
}

export interface Prompt {
  readonly tokens: number
  /** The most output tokens of one choice. */
  readonly cap?: number | undefined
  readonly choices?: number | undefined
  readonly serial: string
}

/** The cap holds reasoning too, as it does at all three providers, and a scripted `outputTokens` keeps to it. */
export function generate(prompt: Prompt, reply: Reply): Generation {
  const width = Math.max(1, prompt.choices ?? 1)
  const cap = prompt.cap ?? Number.POSITIVE_INFINITY
  const reasoning = Math.min(reply.reasoningTokens ?? 0, cap * width)
  const room = cap * width - reasoning
  const wanted = reply.outputTokens === undefined ? undefined : reply.outputTokens - (reply.reasoningTokens ?? 0)
  const visible = wanted === undefined ? undefined : Math.min(wanted, room)

  const choices = Array.from({ length: width }, (_, index) => {
    const roomHere = share(room, width, index)
    return choose(prompt, reply, index, roomHere, visible === undefined ? undefined : share(visible, width, index))
  })
  const output =
    visible ??
    Math.min(
      room,
      choices.reduce((sum, choice) => sum + choiceTokens(choice), 0),
    )
  const isCut = wanted !== undefined && wanted > room
  return {
    choices: isCut ? choices.map((choice) => ({ ...choice, end: 'length' as const })) : choices,
    counts: { ...inputCounts(prompt.tokens, reply), output, reasoning, webSearches: reply.webSearches ?? 0 },
  }
}

function share(total: number, parts: number, index: number): number {
  if (total === Number.POSITIVE_INFINITY) return total
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0)
}

function choose(prompt: Prompt, reply: Reply, index: number, room: number, visible: number | undefined): Choice {
  const toolCalls = (reply.toolCalls ?? []).map(({ name, args = {}, id }, place) => ({
    name,
    args,
    id: id ?? `call_${prompt.serial}_${index}_${place}`,
  }))
  if (toolCalls.length > 0 && reply.text === undefined) return { pieces: undefined, toolCalls, end: 'tool_calls' }
  const text = reply.text ?? sampleText(visible ?? 12 + (prompt.tokens % 20), prompt.tokens + index)
  const all = pieces(text)
  const isCut = visible === undefined && all.length > room
  const kept = isCut ? all.slice(0, room) : all
  return { pieces: kept, toolCalls, end: isCut ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop' }
}

function choiceTokens(choice: Choice): number {
  const calls = choice.toolCalls.reduce((sum, call) => sum + countTokens(call.name) + argPieces(call).length, 0)
  return (choice.pieces?.length ?? 0) + calls
}

function inputCounts(counted: number, reply: Reply) {
  const { cachedTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0, audioInputTokens = 0 } = reply
  const parts = cachedTokens + cacheWriteTokens + cacheWrite1hTokens + audioInputTokens
  return {
    input: reply.inputTokens === undefined ? counted : reply.inputTokens - parts,
    audioInput: audioInputTokens,
    cacheRead: cachedTokens,
    cacheWrite: cacheWriteTokens,
    cacheWrite1h: cacheWrite1hTokens,
    toolUse: reply.toolUseTokens ?? 0,
  }
}

/** The pieces in which a tool call's arguments are streamed. */
export function argPieces(call: ToolCall): string[] {
  return pieces(JSON.stringify(call.args ?? {}))
}

export function textOf(choice: Choice): string | null {
  return choice.pieces?.join('') ?? null
}

export const inputTotal = (counts: Counts): number =>
  counts.input + counts.audioInput + counts.cacheRead + counts.cacheWrite + counts.cacheWrite1h

export const outputTotal = (counts: Counts): number => counts.output + counts.reasoning

/** The counts of a stream that broke off: all of the input, and the output up to there; reasoning comes first. */
export function upTo(counts: Counts, generated: number): Counts {
  const reasoning = Math.min(counts.reasoning, generated)
  return { ...counts, reasoning, output: Math.min(counts.output, generated - reasoning) }
}

/** Says, delta by delta, how many output tokens are generated by now. */
export function progressOf({ choices, counts }: Generation): () => number {
  const deltas = choices.reduce(
    (sum, choice) =>
      sum + (choice.pieces?.length ?? 0) + choice.toolCalls.reduce((of, call) => of + argPieces(call).length, 0),
    0,
  )
  let sent = 0
  return () => {
    sent += 1
    return counts.reasoning + Math.floor((counts.output * sent) / deltas)
  }
}

/** What the client is told: the true usage, or the script's. `undefined`: nothing. */
export function reported(reply: Reply, usage: Record<string, unknown>): unknown {
  if (reply.omitUsage) return undefined
  if (typeof reply.usage === 'function') return reply.usage(usage)
  return 'usage' in reply ? reply.usage : usage
}
