// The hosts that speak OpenAI's wire in their own way: the same answers, with usage where and as each of them has it.

import { decimal, picoPerUnit } from './bill.ts'
import { type Counts, inputTotal, outputTotal, reported, upTo } from './generation.ts'
import { HOST_RATES } from './host-rates.ts'
import { openaiWire } from './openai.ts'
import { chatUsage } from './openai-chat.ts'
import {
  type Answer,
  type Billable,
  type Call,
  type HostName,
  isJson,
  type Json,
  type SseEvent,
  type Wire,
} from './wire.ts'

/** Where a stream has its usage, and whether it has to be asked for. */
type Place = 'asked' | 'last' | 'own-chunk' | 'x_groq' | 'every' | 'every-if-asked' | 'before-empty' | 'bare'

interface Dialect {
  /** Which provider's calls these are; none: a host that nobody knows. */
  readonly provider: string | undefined
  /** Behind the host, in a client's `baseURL`. */
  readonly base: string
  readonly place: Place
  readonly rejectStreamOptions?: 422
  usage(counts: Counts, model: string): Json
  /** Fields of the answer, or of each chunk, beside OpenAI's. */
  readonly more?: Json
  /** Comes before everything else of a stream. */
  readonly opening?: Json
  /** Fields beside which `stream_options` is refused. */
  readonly notBeside?: string
  /** The model that a deployment is. */
  readonly model?: string
}

const plain = (counts: Counts): Json => {
  const [prompt, completion] = [inputTotal(counts), outputTotal(counts)]
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
}

const cached = (counts: Counts): Json => ({
  ...plain(counts),
  prompt_tokens_details: { cached_tokens: counts.cacheRead },
})

/** In pico-dollars; 0 for a model that is in no list. */
function costOf(host: string, model: string, counts: Counts): bigint {
  const rates = HOST_RATES[host]?.[model]
  if (!rates) return 0n
  const { input, output, cacheRead = input, cacheWrite = input } = rates
  const parts: readonly (readonly [string, number])[] = [
    [input, counts.input],
    [cacheRead, counts.cacheRead],
    [cacheWrite, counts.cacheWrite],
    [output, counts.output + counts.reasoning],
  ]
  return parts.reduce((sum, [rate, tokens]) => sum + picoPerUnit(rate) * BigInt(tokens), 0n)
}

const PICO_PER_TICK = 100n

export const DIALECTS: Readonly<Record<HostName, Dialect>> = {
  deepseek: {
    provider: 'deepseek',
    base: '',
    place: 'last',
    usage: (counts) => ({
      ...cached(counts),
      completion_tokens_details: { reasoning_tokens: counts.reasoning },
      prompt_cache_hit_tokens: counts.cacheRead,
      prompt_cache_miss_tokens: inputTotal(counts) - counts.cacheRead,
    }),
  },
  openrouter: {
    provider: 'openrouter',
    base: '/api/v1',
    place: 'own-chunk',
    more: { provider: 'Amazon Bedrock' },
    usage(counts, model) {
      const cost = Number(decimal(costOf('openrouter', model, counts)))
      return {
        ...plain(counts),
        cost,
        is_byok: false,
        prompt_tokens_details: { cached_tokens: counts.cacheRead, cache_write_tokens: counts.cacheWrite },
        cost_details: { upstream_inference_cost: cost },
        completion_tokens_details: { reasoning_tokens: counts.reasoning },
      }
    },
  },
  azure: {
    provider: 'azure',
    base: '/openai/deployments/chat',
    place: 'asked',
    notBeside: 'data_sources',
    model: 'gpt-4o',
    opening: { choices: [], created: 0, id: '', model: '', object: '', prompt_filter_results: [{ prompt_index: 0 }] },
    usage: chatUsage,
  },
  groq: {
    provider: 'groq',
    base: '/openai/v1',
    place: 'x_groq',
    usage: (counts) => ({ queue_time: 0.01, ...cached(counts), total_time: 0.1 }),
  },
  mistral: { provider: 'mistral', base: '/v1', place: 'last', rejectStreamOptions: 422, usage: cached },
  'x-ai': {
    provider: 'x-ai',
    base: '/v1',
    place: 'before-empty',
    usage: (counts, model) => ({
      ...cached(counts),
      completion_tokens: counts.output,
      completion_tokens_details: { reasoning_tokens: counts.reasoning },
      cost_in_usd_ticks: Number(costOf('x-ai', model, counts) / PICO_PER_TICK),
    }),
  },
  'google-openai': { provider: 'google', base: '/v1beta/openai', place: 'every-if-asked', usage: plain },
  aws: { provider: 'aws', base: '/openai/v1', place: 'bare', usage: plain },
  together: { provider: 'together', base: '/v1', place: 'last', usage: plain },
  fireworks: { provider: 'fireworks', base: '/inference/v1', place: 'asked', usage: cached },
  cerebras: { provider: 'cerebras', base: '/v1', place: 'asked', usage: plain },
  perplexity: {
    provider: 'perplexity',
    base: '',
    place: 'every',
    // Five dollars for a thousand requests, and a dollar for a million tokens.
    usage: (counts) => ({
      ...plain(counts),
      cost: { request_cost: 0.005, total_cost: Number(decimal(5_000_000_000n + picoPerUnit('1') * tokensOf(counts))) },
    }),
  },
  ollama: { provider: 'ollama', base: '/v1', place: 'asked', usage: plain },
  vllm: { provider: undefined, base: '/v1', place: 'asked', usage: plain },
}

function tokensOf(counts: Counts): bigint {
  return BigInt(inputTotal(counts) + outputTotal(counts))
}

export function hostWire(name: HostName): Wire {
  const dialect = DIALECTS[name]
  const { rejectStreamOptions, notBeside } = dialect
  const wire = openaiWire(rejectStreamOptions && { rejectStreamOptions })

  function answer(call: Call): Answer {
    const { body } = call
    const options = body.stream_options
    if (notBeside !== undefined && notBeside in body && options !== undefined) {
      const message = `[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted'}]`
      return { status: 400, json: { error: { message, code: null } } }
    }
    const given = rejectStreamOptions ? body : withoutOptions(body)
    const model = dialect.model ?? String(body.model)
    const made = wire.answer({ ...call, body: { ...given, ...(dialect.model && { model }) } })
    const [billable] = Array.isArray(made.billable)
      ? (made.billable as Billable[])
      : [made.billable as Billable | undefined]
    if (made.status !== 200 || !billable) return made
    const own = { ...billable, usage: (counts: Counts) => dialect.usage(counts, billable.model) }
    const said = (counts: Counts) => reported(call.reply, own.usage(counts))
    if (isJson(made.json)) {
      const usage = said(billable.counts)
      return { ...made, billable: own, json: { ...made.json, ...dialect.more, usage } }
    }
    if (!made.events) return made
    return {
      ...made,
      billable: own,
      events: speak(made.events, dialect, isJson(options) ? options : {}, said, billable.counts),
    }
  }

  return { ...wire, provider: name, answer }
}

function withoutOptions({ stream_options: _, ...body }: Json): Json {
  return body
}

/** OpenAI's events of a stream for which no usage was asked, with the usage as this host has it. */
function* speak(
  events: Iterable<SseEvent>,
  { place, more, opening }: Dialect,
  { include_usage: isAsked = false, continuous_usage_stats: isRunning = false }: Json,
  said: (counts: Counts) => unknown,
  counts: Counts,
): Generator<SseEvent> {
  const none = isAsked === true && (place === 'asked' || place === 'last') ? { usage: null } : {}
  const isEach = place === 'every' || (isAsked === true && (place === 'every-if-asked' || isRunning === true))
  const generatedInAll = outputTotal(counts)
  const chunk = ({ data, ...event }: SseEvent, fields: Json): SseEvent => ({
    ...event,
    data: { ...(data as Json), ...more, ...fields },
  })
  if (opening) yield { data: { ...opening, ...none } }
  let held: SseEvent | undefined
  let generated = 0
  for (const event of events) {
    if (held && event.data !== '[DONE]') {
      generated = held.generated ?? generated
      yield chunk(held, isEach ? usageField(said(upTo(counts, generated))) : none)
    }
    if (event.data !== '[DONE]') {
      held = event
      continue
    }
    const usage = said(counts)
    const isTold = usage !== undefined
    const head = headOf(held)
    if (held) yield chunk(held, lastFields(place, isEach, usage, none))
    const empty = { ...head, ...more, choices: [] }
    if (isTold && place === 'own-chunk')
      yield {
        data: {
          ...empty,
          choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
          usage,
        },
      }
    else if (isTold && isAsked === true && (place === 'asked' || place === 'x_groq' || place === 'before-empty'))
      yield { data: { ...empty, usage }, generated: generatedInAll }
    else if (isTold && place === 'bare') yield { data: { ...head, usage }, generated: generatedInAll }
    if (isAsked === true && place === 'before-empty') yield { data: empty }
    yield event
  }
}

function lastFields(place: Place, isEach: boolean, usage: unknown, none: Json): Json {
  if (usage === undefined) return none
  if (place === 'last' || isEach) return { usage }
  return place === 'x_groq' ? { x_groq: { id: 'req_1', usage } } : none
}

function usageField(usage: unknown): Json {
  return usage === undefined ? {} : { usage }
}

function headOf(event: SseEvent | undefined): Json {
  const { id, object, created, model } = (event?.data ?? {}) as Json
  return { id, object, created, model }
}
