// Whatever a host sends, the readers give an honest reading: none throws, none makes numbers up. Few runs of each of many
// routes: `npm run soak:properties` plays the rest.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DIALECTS, PROVIDERS } from '../../src/providers/index.ts'
import type { Asked, Json, Reading, Route } from '../../src/providers/provider.ts'
import { topLevelFields } from '../../src/providers/top-level.ts'
import { BUCKETS } from '../../src/usage.ts'

/** Of the hosts with a reading of their own, one route stands for all: what is around it is the same. */
const READ_DIFFERENTLY = ['deepseek', 'openrouter', 'x-ai', 'google', 'perplexity']
const QUIRKY = DIALECTS.filter(({ name, wire }) => wire === 'openai' && READ_DIFFERENTLY.includes(name)).map(
  ({ routes, ...dialect }) => ({
    ...dialect,
    routes: routes.filter(({ endpoint }) => endpoint === 'chat.completions' || endpoint === 'fim.completions'),
  }),
)

const ROUTES = [...PROVIDERS, ...QUIRKY].flatMap(({ name, routes }) =>
  routes.map((route): [string, Route] => [`${name} ${route.endpoint} ${route.path.source}`, route]),
)

/** Every name that a reader looks at, so that random objects meet its paths. */
const NAMES = [
  ...['id', 'model', 'usage', 'choices', 'delta', 'content', 'tool_calls', 'function', 'finish_reason', 'text', 'type'],
  ...['cost', 'cost_in_usd_ticks', 'is_byok', 'cost_details', 'upstream_inference_cost', 'total_cost', 'provider'],
  ...['prompt_tokens', 'completion_tokens', 'total_tokens', 'input_tokens', 'output_tokens', 'service_tier', 'x_groq'],
  ...['prompt_tokens_details', 'completion_tokens_details', 'input_tokens_details', 'output_tokens_details'],
  ...['cached_tokens', 'cache_write_tokens', 'cache_write_tokens_details', 'ttl_30m_tokens', 'audio_tokens'],
  ...['reasoning_tokens', 'image_tokens', 'text_tokens', 'accepted_prediction_tokens', 'tool_usage', 'web_search'],
  ...['message', 'content_block', 'response', 'status', 'error', 'stop_reason', 'iterations', 'cache_creation'],
  ...['cache_creation_input_tokens', 'cache_read_input_tokens', 'ephemeral_1h_input_tokens', 'server_tool_use', 'to'],
  ...['usageMetadata', 'candidates', 'parts', 'promptFeedback', 'finishReason', 'promptTokenCount', 'totalTokenCount'],
  ...['promptTokensDetails', 'cacheTokensDetails', 'candidatesTokensDetails', 'modality', 'tokenCount', 'functionCall'],
  ...['cachedContentTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount'],
  ...['max_tokens', 'n', 'best_of', 'stream_options', 'messages', 'input', 'prompt', 'generationConfig', 'arguments'],
  ...['__proto__', 'constructor', 'toString', 'length'],
]

const number = fc.oneof(
  { weight: 6, arbitrary: fc.nat(100_000) },
  fc.double(),
  fc.constantFrom(-1, -0, 0.5, 1e10, 1e11, 1e308, Number.MAX_SAFE_INTEGER),
)
const word = fc.constantFrom(
  ...[
    'message_start',
    'message_delta',
    'content_block_start',
    'content_block_delta',
    'error',
    'fallback',
    'compaction',
  ],
  ...['response.created', 'response.completed', 'response.output_text.delta', 'fast', 'AUDIO', '12', '', 'constructor'],
)
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    number,
    word,
    fc.constantFrom(null, true, false),
    fc.string(),
    fc.array(tie('json'), { maxLength: 4 }),
    { weight: 6, arbitrary: fc.dictionary(fc.constantFrom(...NAMES), tie('json'), { maxKeys: 12 }) },
  ),
}))
/** Through JSON, as it would come: `__proto__` is a key like any other there. */
const object = fc
  .dictionary(fc.constantFrom(...NAMES), json, { maxKeys: 12 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json)
const events = fc.array(fc.oneof({ weight: 9, arbitrary: object }, fc.constant({} as Json)), { maxLength: 8 })

function expectHonest(reading: Reading): void {
  for (const [bucket, quantity] of Object.entries(reading.usage ?? {})) {
    expect(BUCKETS).toContain(bucket)
    expect(Number.isSafeInteger(quantity) && quantity > 0, `${bucket}: ${quantity}`).toBe(true)
  }
  for (const flag of reading.flags ?? []) expect(flag).toMatch(/^[a-z-]+:[A-Za-z_]+$/)
  expect(new Set(reading.flags).size).toBe(reading.flags?.length ?? 0)
  for (const value of Object.values(reading.reported ?? {})) expect(Number.isFinite(value)).toBe(true)
  for (const name of ['model', 'responseId', 'serviceTier', 'finishReason', 'error', 'upstreamProvider'] as const)
    expect(reading[name] === undefined || (typeof reading[name] === 'string' && reading[name].length <= 256)).toBe(true)
  if (reading.isPartial) expect(reading.usage).toBeDefined()
}

describe.each(ROUTES)('%s', (_, route) => {
  const path = '/v1/batches/batch_1'
  const asked: Asked = { facts: route.request({}, path, false), path, body: () => ({}) }

  test('reads any JSON object, and its text alike', () => {
    fc.assert(
      fc.property(object, (answer) => {
        const reading = route.read(answer, asked)
        expectHonest(reading)
        const { finishReason: _, ...rest } = reading
        const { finishReason: __, ...again } = route.read(
          topLevelFields(JSON.stringify(answer), route.fields, route.textFields)!,
          asked,
        )
        expect(again).toEqual(rest)
        for (const text of route.generated(answer)) expect(typeof text).toBe('string')
      }),
      { numRuns: 50 },
    )
  })

  test('reads any request', () => {
    fc.assert(
      fc.property(object, fc.string(), fc.boolean(), (body, path, stream) => {
        const { model, maxOutputTokens, metadata = {} } = route.request(body, path, stream)
        expect(typeof model === 'string' && model !== '' && model.length <= 256).toBe(true)
        expect(maxOutputTokens === undefined || (Number.isSafeInteger(maxOutputTokens) && maxOutputTokens >= 0)).toBe(
          true,
        )
        for (const value of Object.values(metadata))
          expect(
            typeof value === 'boolean' || Number.isFinite(value) || (typeof value === 'string' && value.length <= 64),
          ).toBe(true)
        for (const text of route.prompt(body)) expect(typeof text).toBe('string')
      }),
      { numRuns: 50 },
    )
  })

  if (route.prepare) {
    const options = fc.option(
      fc.dictionary(
        fc.constantFrom('include_usage', 'include_obfuscation', 'x'),
        fc.constantFrom(true, false, null, 7),
      ),
      {
        nil: null,
      },
    )
    test('asks for usage in the text of any request, and changes nothing else in it', () => {
      fc.assert(
        fc.property(object, fc.option(options, { nil: undefined }), (given, stream_options) => {
          const { data_sources: _, stream_options: __, ...body } = given
          const asked = { ...body, stream: true, ...(stream_options !== undefined && { stream_options }) }
          const sent = route.prepare!(JSON.stringify(asked), { body: asked })
          if (stream_options?.['include_usage'] === true) expect(sent).toBeUndefined()
          else
            expect(JSON.parse(sent!)).toEqual(
              JSON.parse(JSON.stringify({ ...asked, stream_options: { ...stream_options, include_usage: true } })),
            )
        }),
        { numRuns: 50 },
      )
    })
  }

  if (route.readStream) {
    test('adds up any stream', () => {
      fc.assert(
        fc.property(events, fc.boolean(), (stream, isPrepared) => {
          const reader = route.readStream!(isPrepared, asked)
          for (const event of stream) {
            const before = JSON.stringify(event)
            reader.take(event)
            expect(JSON.stringify(event)).toBe(before)
            expectHonest(reader.reading())
          }
          for (const text of reader.generated()) expect(typeof text).toBe('string')
        }),
        { numRuns: 50 },
      )
    })
  }
})
