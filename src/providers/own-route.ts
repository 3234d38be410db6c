// A route of an application's own: its function for an answer, made into one that whoever meters can rely on.

import { formatUsd, parseDollars } from '../money.ts'
import { BUCKETS, type Bucket, type Usage } from '../usage.ts'
import { capOf, codeOf, counts, isObject, type Quantities, textOf, type UsageReading } from './counts.ts'
import { texts } from './prompt.ts'
import { type Json, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

/**
 * What a route of your own makes of an answer, or of one event of a stream.
 *
 * @example
 * const reading: OwnReading = { model: 'muse-1', usage: { 'input.text': 12, 'output.text': 90 }, costUsd: '0.0004' }
 */
export interface OwnReading {
  /** Quantities by bucket, each billed unit in exactly one of them. Left out where the answer does not say. */
  readonly usage?: Usage | undefined
  /** The model that served the call; default: the one that was asked for. */
  readonly model?: string | undefined
  readonly responseId?: string | undefined
  readonly finishReason?: string | undefined
  readonly serviceTier?: string | undefined
  readonly upstreamProvider?: string | undefined
  /** What the provider itself charges, in dollars: it wins over any price. A string of digits is exact. */
  readonly costUsd?: string | number | undefined
}

/**
 * One endpoint of a wire of your own. Only `read` is yours to write; what it does not understand it gives `undefined` for.
 *
 * @example
 * const verses: OwnRoute = {
 *   endpoint: 'verses',
 *   path: '/v1/verses',
 *   read: ({ words }) => ({ usage: { 'output.text': Number(words) } }),
 * }
 */
export interface OwnRoute {
  /** As it stands on events: `verses`, `chat.completions`. */
  readonly endpoint: string
  /** The end of the paths that it is for, or a pattern. */
  readonly path: string | RegExp
  /** Default `post`. */
  readonly method?: 'get' | 'post' | undefined
  /** The JSON answer, or one event of its stream; of a stream the last reading that has a field stands for it. */
  read(answer: Readonly<Record<string, unknown>>): OwnReading | undefined
  /** What the request asks for; default: its fields `model`, `stream` and `max_tokens`. */
  request?(body: Readonly<Record<string, unknown>>): {
    readonly model?: string | undefined
    readonly stream?: boolean | undefined
    readonly maxOutputTokens?: number | undefined
  }
}

export function routeOf({ endpoint, path, method, request, read }: OwnRoute): Route {
  const end = typeof path === 'string' ? new RegExp(`(?:^|/)${escaped(path.replace(/^\//, ''))}$`) : path
  return {
    endpoint,
    path: end,
    ...(method && { method }),
    request(body, _path, stream) {
      const asked = request?.(body) ?? {}
      return {
        model: textOf(asked.model ?? body['model']) ?? UNKNOWN_MODEL,
        stream: asked.stream ?? stream,
        maxOutputTokens: capOf(asked.maxOutputTokens ?? body['max_tokens']),
        metadata: switches(body, SWITCHES, ['messages']),
      }
    },
    // Only the function knows which it looks at.
    fields: 'all',
    read: (answer) => readingOf(read(answer)),
    readStream: () => lastReading(read),
    generated: (answer) => texts(answer),
    prompt: (body) => texts(body),
  }
}

const SWITCHES = new Set(['temperature', 'top_p', 'max_tokens', 'n'])

function lastReading(read: OwnRoute['read']): StreamReader {
  let sum: Reading = {}
  const generated: string[] = []
  return {
    take(event) {
      generated.push(...texts(event))
      const said = readingOf(read(event))
      const { usage, flags, reported, isPartial } = said.usage ? said : sum
      sum = { ...sum, ...defined(said), usage, flags, reported, ...(isPartial !== undefined && { isPartial }) }
      return event
    },
    reading: () => sum,
    generated: () => generated,
  }
}

function defined(reading: Reading): Reading {
  return Object.fromEntries(Object.entries(reading).filter(([, value]) => value !== undefined))
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}

/** What somebody else's function said, as far as it can be: quantities that are none are flagged and left out. */
function readingOf(said: OwnReading | undefined): Reading {
  if (!isObject(said)) return {}
  const { usage, costUsd } = said as OwnReading
  const pico = costUsd === undefined ? undefined : parseDollars(costUsd)
  return {
    ...usageOf(usage),
    model: textOf(said['model']),
    responseId: textOf(said['responseId']),
    upstreamProvider: textOf(said['upstreamProvider']),
    finishReason: codeOf(said['finishReason']),
    serviceTier: codeOf(said['serviceTier']),
    costUsd: pico !== undefined && pico >= 0n ? formatUsd(pico) : undefined,
  }
}

function usageOf(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const quantities: Quantities = {}
  for (const bucket in usage) {
    if (IS_BUCKET.has(bucket)) quantities[bucket as Bucket] = count.of(usage, bucket)
    else count.flag('unknown', bucket.slice(0, 64))
  }
  return count.reading(quantities, usage as Json, [])
}

const IS_BUCKET = new Set<string>(BUCKETS)
