// A route of an application's own: its function for an answer, made into one that whoever meters can rely on.

import type { Usage } from '../usage.ts'
import { capOf } from './counts.ts'
import { lastReading, nameOf, readingOf } from './own-reading.ts'
import { texts } from './prompt.ts'
import { type Route, UNKNOWN_MODEL } from './provider.ts'
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
 *   read: ({ words }) => (words === undefined ? undefined : { usage: { 'output.text': words as number } }),
 * }
 */
export interface OwnRoute {
  /** As it stands on events: `verses`, `chat.completions`. */
  readonly endpoint: string
  /** The end of the paths that it is for, or a pattern. */
  readonly path: string | RegExp
  /** Default `post`. */
  readonly method?: 'get' | 'post' | undefined
  /** The JSON answer, or one event of its stream; of a stream the last reading that has a field stands for it, but never one that is no count. */
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
        model: nameOf(asked.model ?? body['model']) ?? UNKNOWN_MODEL,
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

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}
