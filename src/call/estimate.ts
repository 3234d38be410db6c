// What a call may cost, before it is made: from its request, the price book, and what such calls came to before.

import type { Estimate } from '../limits/estimate.ts'
import type { PicoUsd } from '../money.ts'
import type { CallSize, PriceBook, PriceQuery } from '../pricing/price.ts'
import { frameOf } from '../providers/chat-frame.ts'
import { countTokens } from '../providers/count-tokens.ts'
import { encodingOf } from '../providers/encodings.ts'
import { mostFrame } from '../providers/estimate.ts'
import { placeOf } from '../providers/place.ts'
import type { Json, RequestFacts } from '../providers/provider.ts'
import { sizeOfRequest } from '../providers/request-size.ts'
import type { RequestSize } from '../providers/size.ts'
import type { Experience } from './experience.ts'

export type { Experience } from './experience.ts'

/** The longest output that a model without a known maximum is taken to give. */
export const LONGEST_OUTPUT_TOKENS = 128_000
/** A prompt of up to so many bytes is counted in whole for a closer ceiling; of what is longer, the bytes count. */
const COUNTED_BYTES = 1 << 20
const NO_MEDIA = [] as const

export interface EstimateInput {
  readonly provider: string
  readonly host: string
  readonly tenantId: string | undefined
  readonly facts: RequestFacts
  readonly endpoint: string
  /** What goes in or comes out is no text. */
  readonly isTextless: boolean
  readonly at: number
  /** A limit may lower the cap of its output; false unless it is said. */
  canCap?(body: Json): boolean
  /** A stream that shows all its output, and that a limit may end; false unless it is said. */
  canEnd?(body: Json): boolean
  readonly body: () => Json
  /** Told of the tokens of the input where they were counted, and are text and nothing else. */
  counted?(tokens: number): void
  /** The texts of the body that are counted as input; `body` where it is at hand. */
  readonly prompt: (body?: Json) => Iterable<string>
}

/** What a call may come to, and whether `ceiling` is a bound for all of it. */
export interface CallEstimate extends Estimate {
  /** What has no bound, each a phrase: `stored conversation`. None where `ceiling` cannot be passed. */
  readonly unbounded: readonly string[]
  readonly isBound: boolean
  /** The same with the tokens counted, which takes the tokenizer: absent where that would bring nothing. */
  readonly tighten?: (() => Promise<CallEstimate>) | undefined
}

/** `undefined` when the model has no known price: then nothing can be held for the call. */
export function estimateCost(book: PriceBook, experience: Experience, input: EstimateInput): CallEstimate | undefined {
  const { provider, endpoint, facts, at, tenantId, isTextless } = input
  const body = input.body()
  const texts = [...input.prompt(body)]
  let bytes = 0
  for (const text of texts) bytes += Buffer.byteLength(text)
  const size = sizeOfRequest(body, facts, { provider, endpoint, isTextless })
  const geo = size.geo ?? placeOf(provider, input.host)
  const query: PriceQuery = { provider, model: facts.model, at, geo, variant: size.variant, tenantId }
  const asked = tierOf(facts)
  const tiered = asked === undefined ? query : { ...query, serviceTier: asked }
  const modelMost = book.maxOutputTokens(query)
  const output = size.makesText ? (facts.maxOutputTokens ?? (modelMost ?? LONGEST_OUTPUT_TOKENS) * size.choices) : 0
  const frame = mostFrame(texts.length)
  const isEndless = size.makesText && facts.maxOutputTokens === undefined && modelMost === undefined
  const unbounded = isEndless
    ? [...size.unbounded, 'output without a cap, of a model without a known maximum']
    : size.unbounded

  const ceilingFor = (textTokens: number, outputTokens: number): PicoUsd | undefined => {
    const most = wholeOf(size, textTokens + frame, outputTokens)
    // The tier that is asked for need not be the one that serves the call, nor one that has a row.
    let ceiling = book.ceiling(most, query)
    if (tiered !== query) ceiling = larger(ceiling, book.ceiling(most, tiered))
    for (const model of size.otherModels) ceiling = larger(ceiling, book.ceiling(most, { ...tiered, model }))
    return ceiling
  }
  const ceiling = ceilingFor(bytes, output)
  if (ceiling === undefined) return undefined

  const expected = (): PicoUsd => {
    // Half a token a byte covers prose and code of every script measured, a quarter is the least of prose.
    const learned = tenantId === undefined ? undefined : experience.expectedOf(tenantId, facts.model, endpoint)
    const inputTokens = Math.ceil((bytes + frame) / (learned === undefined ? 2 : 4))
    const usual = size.makesText ? (facts.maxOutputTokens ?? experience.outputOf(endpoint, facts.model)) : 0
    const likely = { ...wholeOf(size, inputTokens, learned === undefined ? usual : 0), cacheWrites: 'none' } as const
    const prior = book.ceiling(likely, tiered) ?? book.ceiling(likely, query) ?? ceiling
    return learned !== undefined && learned > prior ? learned : prior
  }
  const made = (most: PicoUsd, textTokens: number, tighten: CallEstimate['tighten']): CallEstimate => {
    const likely = expected()
    const { makesText } = size
    return {
      ceiling: most,
      expected: likely < most ? likely : most,
      unbounded,
      isBound: unbounded.length === 0,
      outputTokens: makesText ? output : undefined,
      ceilingAt: makesText ? (tokens) => ceilingFor(textTokens, tokens) ?? most : undefined,
      hasNoCap: makesText && facts.maxOutputTokens === undefined,
      // Several answers to one request have one cap each.
      hasFixedCap: makesText && (size.choices > 1 || !input.canCap?.(body)),
      // What a hosted tool and its model say to each other is not seen, and sound has no text to count.
      isStream: makesText && size.rounds === 1 && size.output.length === 0 && input.canEnd?.(body) === true,
      tighten,
    }
  }
  const isCountable = bytes > 0 && encodingOf(facts.model).isPublished && PUBLISHERS.has(provider)
  if (!isCountable) return made(ceiling, bytes, undefined)
  return made(ceiling, bytes, async () => {
    const { tokens, most } = await countTokens(texts, facts.model, { wholeBytes: COUNTED_BYTES })
    if (isPlainText(size)) input.counted?.(tokens + (frameOf(provider, endpoint, body)?.tokens ?? 0))
    return made(ceilingFor(most, output) ?? ceiling, most, undefined)
  })
}

/** Whose models count in the encodings that are published: elsewhere a model of the same name may be another. */
const PUBLISHERS = new Set(['openai', 'azure'])

function tierOf({ metadata }: RequestFacts): string | undefined {
  if (metadata?.['speed'] === 'fast') return 'fast'
  const tier = metadata?.['service_tier']
  return typeof tier === 'string' ? tier : undefined
}

function isPlainText({ inputTokens, units, unbounded }: RequestSize): boolean {
  return inputTokens === 0 && unbounded.length === 0 && Object.keys(units).length === 0
}

/** Each use of a hosted tool reads all of it anew, with what the tool has found and what was said in between. */
function wholeOf(size: RequestSize, textTokens: number, outputTokens: number): CallSize {
  const { units, output, cacheWrites, rounds, roundTokens } = size
  const once = textTokens + size.inputTokens
  if (rounds === 1) return { inputTokens: once, outputTokens, units, input: NO_MEDIA, output, cacheWrites }
  const media = Object.entries(units).map(([bucket, n]) => [bucket, bucket.startsWith('input.') ? n * rounds : n])
  return {
    inputTokens: rounds * (once + roundTokens + outputTokens),
    outputTokens,
    units: Object.fromEntries(media) as CallSize['units'] & object,
    input: NO_MEDIA,
    output,
    cacheWrites,
  }
}

function larger(a: PicoUsd | undefined, b: PicoUsd | undefined): PicoUsd | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
