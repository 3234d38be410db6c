// A wire as one of its hosts speaks it: the maker's own routes, with the host's quirks around them.

import { CHARGE_FIELDS, chargeOf } from './charge.ts'
import { capOf, isObject, textOf } from './counts.ts'
import { HOSTS, type Quirks } from './hosts.ts'
import { type Asked, HIDE, type Json, type Provider, type Reading, type Route, type StreamReader } from './provider.ts'

/** Each host of the table, once for each wire that it speaks. */
export function dialectsOf(makers: readonly Provider[]): Provider[] {
  return HOSTS.flatMap(({ name, hosts, wires, ...quirks }) =>
    makers
      .filter((maker) => (wires as readonly string[]).includes(maker.wire))
      .map(({ wire, routes }) => dialectOf({ name, hosts, wire, routes }, quirks)),
  )
}

/** Its routes are made when a call to such a host is met: of the thirty here a process dials two, and all cost it 5 ms. */
function dialectOf({ routes, ...maker }: Provider, quirks: Quirks): Provider {
  let own: readonly Route[] | undefined
  return {
    ...maker,
    get routes() {
      return (own ??= routes.map((route) => withQuirks(route, quirks)))
    },
  }
}

/** The route, as a host with such quirks serves it; the same route where it has none. */
export function withQuirks(route: Route, quirks: Quirks): Route {
  const { streamUsage = 'ask', endpoints } = quirks
  const endpoint = endpoints?.[route.endpoint] ?? route.endpoint
  const asking = streamUsage === 'ask' ? route : unasked(route)
  const named: Route = endpoint === FIM ? fillingIn(asking) : { ...asking, endpoint }
  return isReadDifferently(quirks) ? readDifferently(named, quirks) : named
}

const FIM = 'fim.completions'

/** Without a cap of its own it goes on to the model's, and not to the 16 tokens of OpenAI's older endpoint. */
function fillingIn(route: Route): Route {
  return {
    ...route,
    endpoint: FIM,
    request(body, path, stream) {
      return { ...route.request(body, path, stream), maxOutputTokens: capOf(body['max_tokens'], body['n']) }
    },
    // DeepSeek's fields, and Mistral's.
    fim: ({ prompt, suffix }) => ({ prefix: prompt, suffix }),
  }
}

/** Nothing is added to the request, so nothing that comes is ours to hide. */
function unasked({ prepare: _, ...route }: Route): Route {
  const { readStream } = route
  return readStream ? { ...route, readStream: (_isPrepared, asked) => readStream(false, asked) } : route
}

function isReadDifferently({ isUsageOnEveryChunk, reasoning, charge, cacheMiss, isRouter, modelPrefix }: Quirks) {
  return isUsageOnEveryChunk || reasoning === 'outside' || charge || cacheMiss || isRouter || modelPrefix !== undefined
}

function readDifferently(route: Route, quirks: Quirks): Route {
  const { request, read, readStream } = route
  const { modelPrefix } = quirks
  return {
    ...route,
    request(body, path, stream) {
      const facts = request(body, path, stream)
      return modelPrefix ? { ...facts, model: withoutPrefix(facts.model, modelPrefix) } : facts
    },
    fields: quirks.isRouter && route.fields !== 'all' ? [...route.fields, 'provider'] : route.fields,
    read: (answer, asked) => {
      const usage = inOwnTerms(answer['usage'], quirks)
      const plain = usage === answer['usage'] ? answer : { ...answer, usage }
      return amended(read(plain, asked), quirks, { usage, provider: answer['provider'] }, asked)
    },
    ...(readStream && {
      readStream: (isPrepared, asked) => quirkyStream(readStream(isPrepared, asked), quirks, isPrepared, asked),
    }),
  }
}

/** What a host says besides what its wire's maker does. */
interface Said {
  usage: unknown
  provider: unknown
}

function quirkyStream(inner: StreamReader, quirks: Quirks, isPrepared: boolean, asked: Asked): StreamReader {
  const said: Said = { usage: undefined, provider: undefined }
  const isHidingAll = isPrepared && quirks.isUsageOnEveryChunk === true
  let isSaidAtTheEnd = false
  return {
    ...inner,
    take(event) {
      const own = usageOf(event)
      said.provider ??= event['provider']
      if (own === undefined) return inner.take(event)
      const usage = inOwnTerms(own, quirks)
      said.usage = usage
      isSaidAtTheEnd = closes(event, quirks)
      if (usage === own && !isHidingAll) return inner.take(event)
      const shown = inner.take(usage === own ? event : { ...event, usage })
      if (shown === HIDE) return HIDE
      if (!isHidingAll) return event
      const { usage: _, ...rest } = event
      return rest
    },
    reading() {
      const reading = inner.reading()
      const whole = amended(reading, quirks, said, asked)
      // What a running total says is charged so far is not what the call costs.
      if (reading.usage !== undefined && (isSaidAtTheEnd || reading.finishReason !== undefined)) return whole
      const { costUsd: _, ...partial } = whole
      return partial
    },
  }
}

/** Of a chat: usage beside no text stands at the end, but for hosts that put a running total on each chunk: their last has no choices. */
function closes({ choices }: Json, { isUsageOnEveryChunk }: Quirks): boolean {
  if (!Array.isArray(choices)) return false
  return choices.length === 0 || (!isUsageOnEveryChunk && !choices.some(hasText))
}

function hasText(choice: { readonly delta?: { readonly content?: unknown } | null } | null): boolean {
  return Boolean(choice?.delta?.content)
}

/** Where a wire has its usage: beside the choices, in the response or the message that an event tells of. */
function usageOf(event: Json): Json | undefined {
  const { usage, response, message } = event
  if (isObject(usage)) return usage
  const within = isObject(response) ? response['usage'] : isObject(message) ? message['usage'] : undefined
  return isObject(within) ? within : undefined
}

/** The usage as the wire's maker would have written it. */
function inOwnTerms(usage: unknown, { reasoning }: Quirks): unknown {
  if (reasoning !== 'outside' || !isObject(usage)) return usage
  const { completion_tokens, completion_tokens_details: details, total_tokens } = usage
  const outside = isObject(details) ? details['reasoning_tokens'] : undefined
  // With a total, it is the total that shows where the reasoning stands.
  if (total_tokens !== undefined || typeof completion_tokens !== 'number' || typeof outside !== 'number') return usage
  return { ...usage, completion_tokens: completion_tokens + outside }
}

function amended(reading: Reading, quirks: Quirks, { usage, provider }: Said, { facts }: Asked): Reading {
  const { charge, cacheMiss, isRouter, modelPrefix } = quirks
  const more: { -readonly [Field in keyof Reading]: Reading[Field] } = {}
  const model = reading.model
  if (modelPrefix && model !== undefined) more.model = withoutPrefix(model, modelPrefix)
  if (isRouter) more.upstreamProvider = textOf(provider) ?? makerOf(model) ?? makerOf(facts.model)
  if (!isObject(usage)) return { ...reading, ...more }
  const costUsd = charge && chargeOf(charge, usage)
  if (typeof costUsd === 'string') more.costUsd = costUsd
  else if (charge && costUsd === null) {
    const field = CHARGE_FIELDS[charge]
    const said = usage[field]
    more.flags = [...(reading.flags ?? []), `not-a-count:${field}`]
    more.reported = { ...reading.reported, ...(Number.isFinite(said) && { [field]: said as number }) }
  }
  const missed = cacheMiss === undefined ? undefined : usage[cacheMiss]
  if (Number.isSafeInteger(missed) && (missed as number) >= 0)
    more.figures = { ...reading.figures, cacheMissTokens: missed as number }
  return { ...reading, ...more }
}

function withoutPrefix(model: string, prefix: string): string {
  return model.startsWith(prefix) ? model.slice(prefix.length) : model
}

/** `anthropic` of `anthropic/claude-sonnet-5`. */
function makerOf(model: string | undefined): string | undefined {
  const slash = model?.indexOf('/') ?? -1
  return slash > 0 ? model!.slice(0, slash) : undefined
}
