// An answer of the past, read by the very routes that the meter reads answers with.

import { isObject } from '../providers/counts.ts'
import { type Asked, HIDE, type Json, type Reading, type RequestFacts, type Route } from '../providers/provider.ts'
import type { UsageSource } from '../usage.ts'
import type { Answer } from './answer.ts'

export interface PastCall {
  readonly facts: RequestFacts
  readonly reading: Reading
  readonly usageSource: UsageSource
}

/** The verbs of Google's paths, where the endpoint's name is none. */
const VERBS: Readonly<Record<string, string>> = { generateImages: 'predict', generateVideos: 'predictLongRunning' }

/** `request`: the body that was sent, where it is known; `model`: who was asked, where the body does not say. */
export function readPast(route: Route, answer: Answer, request: Json, model: string | undefined): PastCall {
  const body = model === undefined || 'model' in request ? request : { model, ...request }
  const asked = askedOf(route, body, model)
  const reading = finished(read(route, answer, asked), asked.facts)
  return { facts: asked.facts, reading, usageSource: sourceOf(reading) }
}

function askedOf(route: Route, body: Json, model: string | undefined): Asked {
  const path = `/models/${model ?? 'unknown'}:${VERBS[route.endpoint] ?? route.endpoint}`
  const said = route.request(body, path, false)
  const facts = model === undefined ? said : { ...said, model }
  return { facts, path, body: () => body }
}

function read(route: Route, { objects, isStream }: Answer, asked: Asked): Reading {
  const [first = {}] = objects
  const isEvent = isStream || route.method === 'socket' || isStreamed(first)
  if (!isEvent || !route.readStream) return route.read(inOwnNames(objects.at(-1) ?? {}), asked)
  const reader = route.readStream(false, asked)
  for (const event of objects) {
    const own = inOwnNames(event)
    if (reader.take(route.method === 'socket' ? asMessage(route, own) : own) === HIDE) continue
  }
  return reader.reading()
}

/** The one event of a stream that somebody kept: what it tells stands within. */
function isStreamed({ type, event_type, response, message, interaction, metadata }: Json): boolean {
  return (
    (type === undefined && isObject(metadata) && isObject(metadata['usage'])) ||
    (typeof type === 'string' && (isObject(response) || (type === 'message_start' && isObject(message)))) ||
    (typeof event_type === 'string' && isObject(interaction))
  )
}

/** A usage that was kept without the message that it came in. */
function asMessage({ endpoint }: Route, event: Json): Json {
  if (typeof event['type'] === 'string' || !isObject(event['usage'] ?? event['usageMetadata'])) return event
  if (endpoint === 'realtime') return { type: 'response.done', response: { status: 'completed', ...event } }
  if (!isObject(event['usageMetadata'])) return { type: 'session.closed', ...event }
  return event['serverContent'] === undefined ? { ...event, serverContent: { turnComplete: true } } : event
}

/** Google's answers as its client for Python keeps them, and usage that was put where other providers have it. */
function inOwnNames(answer: Json): Json {
  const { usage, usage_metadata, usageMetadata } = answer
  if (isObject(usageMetadata)) return answer
  if (isObject(usage_metadata)) return { ...answer, usageMetadata: camelCased(usage_metadata), ...servedBy(answer) }
  return isObject(usage) && 'promptTokenCount' in usage ? { ...answer, usageMetadata: usage } : answer
}

function servedBy({ model_version, response_id }: Json): Json {
  return { modelVersion: model_version, responseId: response_id }
}

function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelCased(inner),
    ]),
  )
}

/** What only the request says of work that is over; one call of a batch that came with its results. */
function finished(reading: Reading, facts: RequestFacts): Reading {
  const { job, results } = reading
  if (results?.length === 1) return finished(results[0]!.reading, facts)
  const { isEstimated, ...came } = (job?.state === 'over' && job.cameTo?.(facts)) || {}
  const flags = [
    ...(came.flags ?? reading.flags ?? []),
    ...(results && results.length > 1 ? ['several:calls'] : []),
    ...(job?.state === 'open' ? ['unfinished'] : []),
  ]
  const whole = { ...reading, ...came, ...(isEstimated && { isEstimated }) }
  return flags.length > 0 ? { ...whole, flags } : whole
}

function sourceOf(reading: Reading & { readonly isEstimated?: boolean }): UsageSource {
  if (!reading.usage) return 'absent'
  if (reading.isEstimated) return 'estimated'
  return reading.isPartial ? 'partial' : 'reported'
}
