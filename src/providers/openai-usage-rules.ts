// What holds between the counts of OpenAI's usage objects, as their makers and the hosts that speak this wire write them.

import { usageShape } from './invariants.ts'

/** Sums of money: see charge.ts. */
const CHARGES = [
  'cost',
  'cost_in_usd_ticks',
  ...['upstream_inference_cost', 'upstream_inference_prompt_cost', 'upstream_inference_completions_cost'].map(
    (name) => `cost_details.${name}`,
  ),
]

/** openai 7.57.0 completions.d.ts, CompletionUsage; and the names that hosts which speak this wire have added. */
export const COMPLETION_SHAPE = usageShape({
  sums: [
    { whole: 'total_tokens', parts: ['prompt_tokens', 'completion_tokens'] },
    {
      whole: 'prompt_tokens',
      flag: 'prompt_tokens_details',
      when: 'prompt_tokens_details.text_tokens',
      parts: [
        'prompt_tokens_details.text_tokens',
        'prompt_tokens_details.audio_tokens',
        'prompt_tokens_details.image_tokens',
      ],
    },
    // DeepSeek's own: what was read from the cache and what was not.
    {
      whole: 'prompt_tokens',
      flag: 'prompt_cache_miss_tokens',
      when: 'prompt_cache_miss_tokens',
      parts: ['prompt_cache_hit_tokens', 'prompt_cache_miss_tokens'],
    },
  ],
  subsets: [
    {
      of: 'prompt_tokens',
      parts: ['prompt_tokens_details.cached_tokens', 'prompt_tokens_details.cache_write_tokens'],
    },
    { of: 'prompt_tokens', parts: ['prompt_tokens_details.audio_tokens', 'prompt_tokens_details.image_tokens'] },
    { of: 'prompt_tokens', parts: ['prompt_cache_hit_tokens'] },
    {
      of: 'completion_tokens',
      parts: ['completion_tokens_details.reasoning_tokens', 'completion_tokens_details.audio_tokens'],
    },
    {
      of: 'completion_tokens',
      parts: [
        'completion_tokens_details.accepted_prediction_tokens',
        'completion_tokens_details.rejected_prediction_tokens',
      ],
    },
  ],
  outside: {
    part: 'completion_tokens_details.reasoning_tokens',
    total: 'total_tokens',
    rest: ['prompt_tokens', 'completion_tokens'],
  },
  known: [
    'completion_tokens_details.text_tokens',
    ...CHARGES,
    // Groq's clocks.
    ...['queue_time', 'prompt_time', 'completion_time', 'total_time'],
  ],
})

/** openai 7.57.0 embeddings.d.ts, CreateEmbeddingResponse.Usage; some hosts say `completion_tokens: 0` too. */
export const EMBEDDING_SHAPE = usageShape({
  sums: [{ whole: 'total_tokens', parts: ['prompt_tokens', 'completion_tokens'] }],
})

const LIVES = 'input_tokens_details.cache_write_tokens_details'

/** openai 7.57.0 responses.d.ts, ResponseUsage. */
export const RESPONSE_SHAPE = usageShape({
  sums: [
    { whole: 'total_tokens', parts: ['input_tokens', 'output_tokens'] },
    {
      whole: 'input_tokens_details.cache_write_tokens',
      flag: 'cache_write_tokens_details',
      when: LIVES,
      parts: [`${LIVES}.ttl_30m_tokens`, `${LIVES}.ttl_12h_tokens`],
    },
  ],
  subsets: [
    {
      of: 'input_tokens',
      parts: ['input_tokens_details.cached_tokens', 'input_tokens_details.cache_write_tokens'],
    },
    { of: 'output_tokens', parts: ['output_tokens_details.reasoning_tokens'] },
  ],
  outside: {
    part: 'output_tokens_details.reasoning_tokens',
    total: 'total_tokens',
    rest: ['input_tokens', 'output_tokens'],
  },
  known: CHARGES,
})
