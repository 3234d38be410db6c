// The hosts that speak another provider's wire, and in what each departs from it: data, one row a host.
//
// Names are those of the price book. Sources of the quirks: the page beside each, and where no page says it, the
// thread in which it was found.

import { google } from './google.ts'

/** Azure answers 400 "Extra inputs are not permitted" to `stream_options` beside these: azure-sdk-for-js #30751. */
export const NEVER_ASKED_BESIDE = 'data_sources'

/** What a host does in its own way. What is left out is as the wire's maker does it. */
export interface Quirks {
  /**
   * How the usage of a stream is had. `ask` (default): with `stream_options.include_usage`. `unasked`: it comes anyway,
   * and asking is useless. `refused`: it comes anyway, and asking is an error.
   */
  readonly streamUsage?: 'ask' | 'unasked' | 'refused'
  /** Asked for usage, the host puts a running total on every chunk: all of it is hidden from a caller who did not ask. */
  readonly isUsageOnEveryChunk?: boolean
  /** `outside`: `completion_tokens` leave reasoning out. */
  readonly reasoning?: 'inside' | 'outside'
  /** Where the answer says what is charged. See `charge.ts`. */
  readonly charge?: 'openrouter' | 'ticks' | 'total_cost'
  /** The count of input that the host's cache did not hold. */
  readonly cacheMiss?: string
  /** The answer names who served the call; where it does not, the model's prefix before `/` does. */
  readonly isRouter?: boolean
  /** Endpoints that are called something else here: `{ completions: 'fim.completions' }`. */
  readonly endpoints?: Readonly<Record<string, string>>
  /** What stands before the ids of models in requests and answers, and not in the price book. */
  readonly modelPrefix?: string
}

/** Whose wire a host can speak. */
export type SpokenWire = 'openai' | 'anthropic'

export interface Host extends Quirks {
  readonly name: string
  readonly hosts: RegExp
  readonly wires: readonly SpokenWire[]
}

const OPENAI = ['openai'] as const
const BOTH = ['openai', 'anthropic'] as const

const TABLE = [
  {
    // https://api-docs.deepseek.com: kv_cache, fim_completion (its /completions, on the base /beta), anthropic_api.
    name: 'deepseek',
    hosts: /^api\.deepseek\.com$/,
    wires: BOTH,
    cacheMiss: 'prompt_cache_miss_tokens',
    endpoints: { completions: 'fim.completions' },
  },
  {
    // https://openrouter.ai/docs/use-cases/usage-accounting: always sent, `stream_options` has no effect.
    name: 'openrouter',
    hosts: /^(?:[a-z0-9-]+\.)?openrouter\.ai$/,
    wires: BOTH,
    streamUsage: 'unasked',
    charge: 'openrouter',
    isRouter: true,
  },
  {
    // Azure OpenAI and Foundry: the deployment is asked for, and the model that serves it is named in the answer.
    name: 'azure',
    hosts: /^[a-z0-9.-]+\.(?:openai\.azure\.(?:com|us|cn)|(?:cognitiveservices|services\.ai|models\.ai)\.azure\.com)$/,
    wires: BOTH,
  },
  {
    // groq-sdk 1.6.0 ChatCompletionChunk.XGroq: `x_groq.usage` on the last chunk of every stream.
    name: 'groq',
    hosts: /^api\.groq\.com$/,
    wires: OPENAI,
    streamUsage: 'unasked',
  },
  {
    // 422 extra_forbidden on stream_options: openai-agents-python #442. Its own wire is in mistral.ts.
    name: 'mistral',
    hosts: /^(?:api|codestral)\.mistral\.ai$/,
    wires: OPENAI,
    streamUsage: 'refused',
  },
  {
    // https://docs.x.ai/developers/cost-tracking: 1 USD = 10^10 ticks.
    name: 'x-ai',
    hosts: /^(?:[a-z0-9-]+\.)?api\.x\.ai$/,
    wires: BOTH,
    reasoning: 'outside',
    charge: 'ticks',
  },
  {
    // Gemini's and Vertex AI's OpenAI-compatible endpoints; the running total on every chunk: ogx #5122.
    name: 'google',
    hosts: google.hosts,
    wires: BOTH,
    isUsageOnEveryChunk: true,
    modelPrefix: 'google/',
  },
  {
    // https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html. Mantle sends a chunk with the
    // usage and without choices unasked (llmeter PR 34); asked, it is the same chunk.
    name: 'aws',
    hosts: /^(?:bedrock-mantle\.[a-z0-9-]+\.api\.aws|bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?)$/,
    wires: BOTH,
  },
  { name: 'together', hosts: /^api\.together\.(?:xyz|ai)$/, wires: OPENAI },
  { name: 'fireworks', hosts: /^api\.fireworks\.ai$/, wires: BOTH },
  { name: 'cerebras', hosts: /^api\.cerebras\.ai$/, wires: OPENAI },
  {
    // https://docs.perplexity.ai: usage on every chunk, its cost with the fees of searches in it.
    name: 'perplexity',
    hosts: /^api\.perplexity\.ai$/,
    wires: OPENAI,
    streamUsage: 'unasked',
    charge: 'total_cost',
  },
  {
    // https://vercel.com/docs/ai-gateway: OpenAI's and Anthropic's wire on /v1. The AI SDK's own is in vercel.ts.
    name: 'vercel',
    hosts: /^ai-gateway\.vercel\.sh$/,
    wires: BOTH,
    isRouter: true,
  },
  {
    // https://developers.cloudflare.com/ai-gateway: /v1/{account}/{gateway}/{provider}/..., or /compat for all of them.
    name: 'cloudflare',
    hosts: /^gateway\.ai\.cloudflare\.com$/,
    wires: BOTH,
    isRouter: true,
  },
  // https://huggingface.co/docs/inference-providers: `org/model:provider`, and no word on who served it.
  { name: 'huggingface', hosts: /^router\.huggingface\.co$/, wires: OPENAI },
  // https://docs.github.com/en/rest/models/inference
  { name: 'github', hosts: /^models\.github\.ai$/, wires: OPENAI },
  { name: 'moonshotai', hosts: /^api\.moonshot\.(?:ai|cn)$/, wires: BOTH },
  { name: 'zai', hosts: /^api\.z\.ai$/, wires: BOTH },
  { name: 'minimax', hosts: /^api\.minimaxi?\.(?:com|io)$/, wires: BOTH },
  // On the machine itself, at the port that it takes unless told otherwise: ollama PR 6784.
  { name: 'ollama', hosts: /^(?:(?:localhost|127\.0\.0\.1|\[::1\]):11434|ollama\.com)$/, wires: BOTH },
] as const satisfies readonly Host[]

export const HOSTS: readonly Host[] = TABLE

/** The hosts of the table, by name. */
export type HostName = (typeof TABLE)[number]['name']
