// Which route of a provider reads an answer: by the name of its endpoint, or by what the answer looks like.

import { expected, MeterError } from '../errors.ts'
import { providerNamed } from '../pricing/provider-names.ts'
import { isObject } from '../providers/counts.ts'
import { createRouting, DIALECTS, PROVIDERS } from '../providers/index.ts'
import type { Json, Provider, Route } from '../providers/provider.ts'

/** Names of endpoints that lead to another's route, written as `keyOf` writes them. */
const ENDPOINT_NAMES: Readonly<Record<string, string>> = {
  chat: 'chatcompletions',
  chatcompletion: 'chatcompletions',
  completion: 'completions',
  textcompletion: 'completions',
  response: 'responses',
  message: 'messages',
  embedding: 'embeddings',
  embed: 'embeddings',
  streamgeneratecontent: 'generatecontent',
  generatecontentstream: 'generatecontent',
  embedcontents: 'embedcontent',
  batchembedcontents: 'embedcontent',
  interaction: 'interactions',
  transcription: 'audiotranscriptions',
  transcriptions: 'audiotranscriptions',
  translations: 'audiotranslations',
  speech: 'audiospeech',
  tts: 'audiospeech',
  image: 'imagesgenerate',
  images: 'imagesgenerate',
  imagesgenerations: 'imagesgenerate',
  imagegeneration: 'imagesgenerate',
  imagesedits: 'imagesedit',
  imagesvariations: 'imagescreatevariation',
  video: 'videos',
  finetuningjobs: 'finetuningjobs',
  conversestream: 'converse',
  invokemodel: 'invoke',
  invokemodelwithresponsestream: 'invoke',
}

/** `/v1/chat/completions`, `chat.completions.create`, `beta.messages (compaction)`: what distinguishes them. */
function keyOf(endpoint: string): string {
  return endpoint
    .replace(/\(.*\)/, '')
    .trim()
    .replace(/^https?:\/\/[^/]+/, '')
    .replace(/^\/?v\d+(?:beta\d*|alpha)?\//, '')
    .replace(/^(?:client\.)?(?:beta\.)?(?:models[./])?/, '')
    .replace(/\.(?:create|parse|stream|retrieve|results|list)$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
}

const BATCH = /^(?:async)?batch(?:es)?|batch(?:es)?$/

/** Endpoints whose calls are all made in batches: `batches`, `messages.batches`, `batchGenerateContent`. */
export function isBatchEndpoint(endpoint: string): boolean {
  if (BATCH_PATH.test(pathOf(endpoint) ?? '')) return true
  const key = keyOf(endpoint)
  // Embeddings of several contents at once, at the usual price.
  return key !== 'batchembedcontents' && BATCH.test(key)
}

/** `/v1/messages/batches/x/results`, `models/m:batchGenerateContent`. */
const BATCH_PATH = /(?<=.)\/batches(?:\/.*)?$|:(?:async)?batch(?=generateContent$)/i

/** Of an endpoint that is a path or a URL. */
function pathOf(endpoint: string): string | undefined {
  const path = endpoint
    .trim()
    .replace(/^https?:\/\/[^/]+/, '')
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '')
  return path.includes('/') ? path : undefined
}

/** The model in a path, of those that have one there: `/v1beta/models/gemini-3.8-flash:generateContent`. */
export function modelIn(endpoint: string): string | undefined {
  const path = pathOf(endpoint) ?? ''
  const name = /\/model\/([^/]+)\//.exec(path)?.[1] ?? /(?:^|\/)models\/([^/:]+):/.exec(path)?.[1]
  try {
    return name && decodeURIComponent(name)
  } catch {
    return name
  }
}

const ALL: readonly Provider[] = [...PROVIDERS, ...DIALECTS]
const { providerOf } = createRouting()

/** The name under which the provider's prices are filed. */
export function sellerOf(provider: string | undefined, host: string): string {
  const name = provider?.trim() ?? providerOf(host)
  if (name === undefined || name === '')
    throw new MeterError(
      'BAD_INPUT',
      host === ''
        ? expected('provider', 'the name of a provider, such as `openai`', provider)
        : expected('host', "a known provider's, or `provider` to be given beside it", host),
    )
  return providerNamed(name)
}

/** Routes that an answer can be of, those of its own wire first. */
function routesOf(provider: string): readonly Route[] {
  const served = ALL.filter(({ name }) => name === provider)
  // A gateway, or a host that is known only by its prices, speaks one of the three wires.
  const speakers = served.length > 0 ? served : PROVIDERS.filter(({ wire }) => wire !== 'own')
  const routes = speakers.flatMap((speaker) => speaker.routes).filter(({ isFollowUp }) => !isFollowUp)
  return [
    ...routes.filter(({ method = 'post' }) => method === 'post'),
    ...routes.filter(({ method }) => method === 'socket'),
  ]
}

function named(routes: readonly Route[], key: string): Route | undefined {
  const alias = Object.hasOwn(ENDPOINT_NAMES, key) ? ENDPOINT_NAMES[key] : undefined
  return (
    routes.find((route) => keyOf(route.endpoint) === key) ??
    (alias === undefined ? undefined : routes.find((route) => keyOf(route.endpoint) === alias))
  )
}

/** The route of `endpoint`, or, where none is named, the one that gives answers such as `answers`. */
export function routeFor(
  provider: string,
  endpoint: string | undefined,
  model: string,
  answers: readonly Json[],
): Route {
  const routes = routesOf(provider)
  const key =
    endpoint === undefined ? '' : isBatchEndpoint(endpoint) ? keyOf(endpoint).replace(BATCH, '') : keyOf(endpoint)
  if (endpoint !== undefined && key !== '') {
    const path = pathOf(endpoint)?.replace(BATCH_PATH, (end) => (end.startsWith(':') ? ':' : ''))
    const route = named(routes, key) ?? (path === undefined ? undefined : routes.find((one) => isAt(one, path)))
    if (route) return route
    const names = [...new Set(routes.map((one) => one.endpoint))].join(', ')
    throw new MeterError(
      'BAD_INPUT',
      `There is no endpoint ${quoted(endpoint)} of ${provider}; those known are ${names}.`,
    )
  }
  for (const answer of answers) {
    const kind = kindOf(answer, model)
    const route = kind && named(routes, keyOf(kind))
    if (route) return route
  }
  return routes[0]!
}

function isAt(route: Route, path: string): boolean {
  // `:streamGenerateContent` and its like are asked of the same route.
  const whole = path
    .replace(/:streamG/, ':g')
    .replace(/:g(?=enerateContent$)/i, ':g')
    .replace(/\/converse-stream$/, '/converse')
    .replace(/\/invoke-with-response-stream$/, '/invoke')
  return route.method !== 'socket' && route.path.test(whole)
}

function quoted(endpoint: string): string {
  return endpoint.length <= 40 ? `\`${endpoint}\`` : `of ${endpoint.length} characters`
}

/** What an object says that it is. */
const OBJECTS: Readonly<Record<string, string>> = {
  'chat.completion': 'chat.completions',
  'chat.completion.chunk': 'chat.completions',
  response: 'responses',
  text_completion: 'completions',
  list: 'embeddings',
  video: 'videos',
  message: 'messages',
}

const EVENTS: readonly (readonly [RegExp, string])[] = [
  [/^message(?:_start|_delta|_stop)?$|^content_block_/, 'messages'],
  [/^response\.done$/, 'realtime'],
  [/^response\./, 'responses'],
  [/^transcript\./, 'audio.transcriptions'],
  [/^speech\./, 'audio.speech'],
  [/^image_(?:generation|edit)\./, 'images.generate'],
]

/** Fields that only the usage of one kind of answer has; the first that is there decides. */
const USAGE_FIELDS: readonly (readonly [field: string, endpoint: string])[] = [
  ['promptTokenCount', 'generateContent'],
  ['total_input_tokens', 'interactions'],
  ['inputTokens', 'converse'],
  ['billed_units', 'chat'],
  ['pages_processed', 'ocr'],
  ['characters', 'audio.speech'],
  ['seconds', 'audio.transcriptions'],
  ['cache_creation_input_tokens', 'messages'],
  ['cache_read_input_tokens', 'messages'],
  ['completion_tokens', 'chat.completions'],
  ['prompt_tokens', 'embeddings'],
]

function kindOf(answer: Json, model: string): string | undefined {
  const { object, type, event_type, candidates, serverContent, usage, metadata } = answer
  const usageMetadata = answer['usageMetadata'] ?? answer['usage_metadata']
  if (typeof event_type === 'string' && event_type.startsWith('interaction')) return 'interactions'
  if (serverContent !== undefined) return 'live'
  if (typeof object === 'string' && Object.hasOwn(OBJECTS, object)) return OBJECTS[object]
  if (typeof type === 'string') {
    const event = EVENTS.find(([pattern]) => pattern.test(type))
    if (event) return event[1]
  }
  if (candidates !== undefined || usageMetadata !== undefined) return 'generateContent'
  if (answer['usage_info'] !== undefined) return 'ocr'
  // The last event of Bedrock's stream.
  if (isObject(metadata) && isObject(metadata['usage']) && 'inputTokens' in metadata['usage']) return 'converse'
  if (isObject(answer['meta'])) return 'chat'
  if (!isObject(usage)) return Array.isArray(answer['data']) ? 'images.generate' : undefined
  const known = USAGE_FIELDS.find(([field]) => usage[field] !== undefined)
  return known ? known[1] : 'input_tokens' in usage ? withInputTokens(usage, model) : undefined
}

/** `input_tokens` and `output_tokens` are said by five endpoints: by what they say besides, and by the model. */
function withInputTokens(usage: Json, model: string): string {
  if (/realtime/.test(model)) return 'realtime'
  if (/transcribe/.test(model)) return 'audio.transcriptions'
  if (/-tts/.test(model)) return 'audio.speech'
  if (/image/.test(model)) return 'images.generate'
  const isResponse = 'total_tokens' in usage || 'input_tokens_details' in usage
  return isResponse || !/claude/.test(model) ? 'responses' : 'messages'
}
