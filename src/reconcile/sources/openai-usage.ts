// OpenAI's usage endpoints: buckets of a minute, an hour or a day, grouped as finely as each of them can be.

import type { Bucket } from '../../usage.ts'
import {
  countIn,
  type Fields,
  idIn,
  listIn,
  neededCount,
  numberIn,
  objectIn,
  optionalText,
  stop,
  textIn,
  unixIn,
} from '../fields.ts'
import { bucketCheck, pagesOf } from '../pages.ts'
import type { Puller } from '../pull.ts'
import { type Period, STEP_MS, type StatementRow, type Step } from '../statement.ts'
import { tierOf } from '../tier.ts'

const MOST_BUCKETS = { '1m': 1440, '1h': 168, '1d': 31 } as const

/** Read in the types of openai 7.57, `resources/admin/organization/usage.d.ts`, on 2026-11-22. */
const ENDPOINTS: Readonly<Record<string, readonly string[]>> = {
  completions: ['project_id', 'api_key_id', 'model', 'batch', 'service_tier'],
  decisions: ['project_id', 'api_key_id', 'model', 'batch', 'service_tier'],
  embeddings: ['project_id', 'api_key_id', 'model'],
  moderations: ['project_id', 'api_key_id', 'model'],
  images: ['project_id', 'api_key_id', 'model'],
  audio_speeches: ['project_id', 'api_key_id', 'model'],
  audio_transcriptions: ['project_id', 'api_key_id', 'model'],
  vector_stores: ['project_id'],
  code_interpreter_sessions: ['project_id'],
  file_search_calls: ['project_id', 'api_key_id'],
  web_search_calls: ['project_id', 'api_key_id', 'model'],
}

type Quantities = readonly (readonly [Bucket | undefined, number])[]

/** What a result of each kind counts; a type of `undefined` is what we have no bucket for. */
const COUNTED: Readonly<Record<string, (result: Fields, where: string) => Quantities>> = {
  'organization.usage.completions.result': tokens,
  'organization.usage.decisions.result': tokens,
  'organization.usage.embeddings.result': (result, where) => [
    ['input.text', neededCount(result, 'input_tokens', where)],
  ],
  // Free, and in no ledger.
  'organization.usage.moderations.result': (result, where) => [[undefined, neededCount(result, 'input_tokens', where)]],
  'organization.usage.images.result': (result, where) => [['unit.output_images', neededCount(result, 'images', where)]],
  'organization.usage.audio_speeches.result': (result, where) => [
    ['unit.input_characters', neededCount(result, 'characters', where)],
  ],
  'organization.usage.audio_transcriptions.result': (result, where) => [
    ['unit.input_seconds', numberIn(result, 'seconds', where) ?? stop(where, 'seconds', 'a number', undefined)],
  ],
  'organization.usage.vector_stores.result': (result, where) => [
    [undefined, neededCount(result, 'usage_bytes', where)],
  ],
  'organization.usage.code_interpreter_sessions.result': (result, where) => [
    ['fee.code_session', neededCount(result, 'num_sessions', where)],
  ],
  'organization.usage.file_searches.result': (result, where) => [
    ['fee.file_search', neededCount(result, 'num_requests', where)],
  ],
  'organization.usage.web_searches.result': (result, where) => [
    ['fee.web_search', neededCount(result, 'num_requests', where)],
  ],
}

export async function* openaiUsage(pull: Puller, period: Period, step: Step): AsyncGenerator<StatementRow> {
  for (const [endpoint, groups] of Object.entries(ENDPOINTS)) {
    const where = `OpenAI usage of ${endpoint}`
    const query = new URLSearchParams({
      start_time: String(period.since / 1000),
      end_time: String(period.until / 1000),
      bucket_width: step,
      limit: String(MOST_BUCKETS[step]),
    })
    for (const group of groups) query.append('group_by[]', group)
    const check = bucketCheck(period, STEP_MS[step], where)
    for await (const bucket of pagesOf(pull, `/organization/usage/${endpoint}`, query, where)) {
      const span = { since: unixIn(bucket, 'start_time', where), until: unixIn(bucket, 'end_time', where) }
      check.see(span)
      const place = `${where}, ${new Date(span.since).toISOString()}`
      for (const item of listIn(bucket['results'], place, 'results'))
        yield* rowsOf(objectIn(item, place, 'results[]'), span, groups, place)
    }
    check.end()
  }
}

function* rowsOf(
  result: Fields,
  span: { since: number; until: number },
  groups: readonly string[],
  where: string,
): Generator<StatementRow> {
  const kind = textIn(result, 'object', where)
  const counted = COUNTED[kind]
  if (counted === undefined) return stop(where, 'object', 'a kind of result that is known', kind)
  const scope = {
    ...(groups.includes('project_id') && { project: idIn(result, 'project_id', where) ?? null }),
    ...(groups.includes('api_key_id') && { key: idIn(result, 'api_key_id', where) ?? null }),
  }
  const tier = result['batch'] === true ? 'batch' : tierOf(optionalText(result, 'service_tier', where))
  const asked = kind.includes('completions') || kind.includes('embeddings')
  let requests = asked ? neededCount(result, 'num_model_requests', where) : undefined
  for (const [type, quantity] of counted(result, where)) {
    if (quantity === 0 && requests === undefined) continue
    yield {
      source: 'openai',
      kind: 'usage',
      ...span,
      ...scope,
      provider: 'openai',
      model: optionalText(result, 'model', where),
      tier,
      type,
      quantity,
      requests,
      currency: 'USD',
      item: kind,
    }
    requests = undefined
  }
}

/** The whole input first, of which every other figure is a part: what is left over is text. */
function tokens(result: Fields, where: string): Quantities {
  const all = neededCount(result, 'input_tokens', where)
  const count = (field: string) => countIn(result, field, where) ?? 0
  const written = count('input_cache_write_tokens')
  const [audio, image] = [count('input_audio_tokens'), count('input_image_tokens')]
  const cached = count('input_cached_tokens')
  const [cachedAudio, cachedImage] = [count('input_cached_audio_tokens'), count('input_cached_image_tokens')]
  const text = all - cached - written - audio - image
  const cachedText = cached - cachedAudio - cachedImage
  if (text < 0 || cachedText < 0) return stop(where, 'input_tokens', 'at least the sum of its parts', all)
  const output = neededCount(result, 'output_tokens', where)
  const [outputAudio, outputImage] = [count('output_audio_tokens'), count('output_image_tokens')]
  if (output < outputAudio + outputImage) return stop(where, 'output_tokens', 'at least the sum of its parts', output)
  return [
    ['input.text', text],
    ['input.text.cache_read', cachedText],
    ['input.text.cache_write', written],
    ['input.audio', audio],
    ['input.audio.cache_read', cachedAudio],
    ['input.image', image],
    ['input.image.cache_read', cachedImage],
    ['output.text', output - outputAudio - outputImage],
    ['output.audio', outputAudio],
    ['output.image', outputImage],
  ]
}
