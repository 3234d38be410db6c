// From a logged call to its event: read by the routes that the meter reads answers with, and put together where it puts them together.

import type { FinishedCall } from '../call/record.ts'
import { costOf, gapOf, queryOf, recordOf } from '../call/record.ts'
import type { LLMEvent } from '../event.ts'
import { parseUsd } from '../money.ts'
import type { Cost, PriceBook } from '../pricing/price.ts'
import { answerOf } from '../pricing-api/answer.ts'
import { isBatchEndpoint, routeFor, sellerOf } from '../pricing-api/endpoints.ts'
import { readPast } from '../pricing-api/read.ts'
import { isTierUnconfirmed } from '../pricing-api/tiers.ts'
import { type Json, type Reading, type Route, UNKNOWN_MODEL } from '../providers/provider.ts'
import { type Said, saidIn } from '../providers/said.ts'
import type { LoggedCall } from './format.ts'

/** What was said, in memory alone: no event has it. */
export interface Captured {
  /** What the model made; without a text where the log does not keep it. */
  output(): Said
  /** Every text of the request that the provider counts as input. */
  prompt(): readonly string[]
  /** The answer, or the events of its stream, and the request, as the log has them. */
  readonly answers: readonly Json[]
  readonly request: Json
}

export interface RecordedCall {
  readonly event: LLMEvent
  readonly captured: Captured
}

export interface RecordOptions {
  readonly book: PriceBook
  readonly eventId: string
  readonly at: number
  /** By the book, also where the log says what it cost. */
  readonly isPricedAnew: boolean
}

/** Throws a `MeterError` of one sentence for an answer that is none. */
export function recordLogged(call: LoggedCall, { book, eventId, at, isPricedAnew }: RecordOptions): RecordedCall {
  const answer = answerOf(call.response)
  const provider = sellerOf(call.provider, '')
  const request = call.request ?? {}
  const asked = call.model ?? (typeof request['model'] === 'string' ? request['model'] : undefined)
  const served = answer.objects.find(({ model }) => typeof model === 'string')?.['model'] as string | undefined
  const wire = call.wire === undefined ? provider : sellerOf(call.wire, '')
  const route = routeFor(wire, call.endpoint, served ?? asked ?? '', answer.objects)
  const past = readPast(route, answer, request, asked)
  const isBatch = call.batch ?? (answer.isBatch || (call.endpoint !== undefined && isBatchEndpoint(call.endpoint)))
  const read: Reading = isBatch ? { ...past.reading, serviceTier: 'batch' } : past.reading
  const reading = call.error === undefined ? read : { ...read, finishReason: undefined }
  const { tenantId, appName, environment, ...attribution } = call.labels
  const finished: FinishedCall = {
    eventId,
    payer: { tenantId, attribution },
    provider,
    host: call.host ?? '',
    endpoint: route.endpoint,
    facts: { ...past.facts, stream: answer.isStream || past.facts.stream },
    reading,
    usage: reading.usage,
    usageSource: past.usageSource,
    usageBounds: undefined,
    flags: flagsOf(call, reading, isTierUnconfirmed(provider, request, reading)),
    attempts: [{ ...(call.status !== undefined && { status: call.status }), billable: billableOf(call) }],
    requestId: call.requestId,
    status: undefined,
    error: call.error ?? reading.error,
    errorCode: undefined,
    streamEnd: undefined,
    at,
    durationMs: call.durationMs,
    timeToFirstTokenMs: call.timeToFirstTokenMs,
  }
  const query = queryOf(finished, tenantId)
  const cost = costHere(call, finished, book, query, isPricedAnew)
  const gap = cost === undefined && reading.usage ? gapOf(book, reading.usage, reading, query) : undefined
  const event = recordOf(finished, { cost, priceVersion: book.version, query, gap, appName, environment })
  const metadata = { ...event.metadata, ...call.metadata }
  const { host, ...rest } = event
  return {
    event: {
      ...rest,
      ...(host !== '' && { host }),
      ...(Object.keys(metadata).length > 0 && { metadata }),
    },
    captured: capturedOf(call, route, answer.objects, request),
  }
}

export function isNameless({ model }: LLMEvent): boolean {
  return model === UNKNOWN_MODEL || model === ''
}

function costHere(
  { costUsd }: LoggedCall,
  { usage, usageSource, reading }: FinishedCall,
  book: PriceBook,
  query: ReturnType<typeof queryOf>,
  isPricedAnew: boolean,
): Cost | undefined {
  const told = costUsd === undefined ? undefined : parseUsd(costUsd)
  if (told !== undefined && !isPricedAnew) return { pico: told, source: 'reported', lines: [] }
  // A part that was not reported would make the cost too low.
  if (usage === undefined || (usageSource === 'partial' && reading.costUsd === undefined)) return undefined
  return costOf(book, usage, reading, query)
}

function flagsOf(call: LoggedCall, { flags = [], usage }: Reading, isUnconfirmed: boolean): readonly string[] {
  const isMissing = usage === undefined && call.error === undefined && !call.isFromCache
  return [...flags, ...(isMissing ? ['missing:usage'] : []), ...(isUnconfirmed ? ['tier:unconfirmed'] : [])]
}

function billableOf({ error, isFromCache }: LoggedCall): 'yes' | 'no' {
  return error === undefined && !isFromCache ? 'yes' : 'no'
}

function capturedOf({ text }: LoggedCall, route: Route, objects: readonly Json[], request: Json): Captured {
  const answers = text === undefined ? objects : [text]
  return { output: () => saidIn(answers), prompt: () => [...route.prompt(request)], answers, request }
}
