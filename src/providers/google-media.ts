// Google's images and videos: billed by the piece and by the second, told by no usage.
// Shapes: @google/genai 3.1.0, what its `generateImagesResponseFromVertex`, `generateVideosOperationFromMldev` and
// `...FromVertex` take.

import { codeOf, isObject, textOf } from './counts.ts'
import { modelOf } from './google-path.ts'
import { type CameTo, type Json, type Reading, type RequestFacts, type Route, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

const NOTHING = () => []
const SWITCHES = new Set([
  ...['sampleCount', 'sampleImageSize', 'mode', 'editMode', 'durationSeconds', 'resolution', 'generateAudio', 'fps'],
])
/** Veo's own, where a request names none (docs.cloud.google.com, Veo video generation API). */
const USUAL_SECONDS = 8
const USUAL_RESOLUTION = '720p'

function facts(body: Json, path: string): RequestFacts {
  const metadata = isObject(body['parameters']) ? switches(body['parameters'], SWITCHES, []) : undefined
  return { model: modelOf(path), stream: false, maxOutputTokens: 0, ...(metadata && { metadata }) }
}

/** Of an image: its bytes, where it was put, or, where somebody kept an answer without its bytes, of what kind it is. */
const OF_IMAGE = ['bytesBase64Encoded', 'gcsUri', 'mimeType']

const OF_NONE = ['raiFilteredReason', 'safetyAttributes']

/** What is filtered out by Google's own checks comes with the reason alone, and is not billed. */
function readImages(answer: Json): Reading {
  const predictions = answer['predictions']
  if (!Array.isArray(predictions)) return {}
  const told = (predictions as unknown[]).filter(isObject)
  const imageCount = told.filter((one) => OF_IMAGE.some((field) => one[field] !== undefined)).length
  // Neither an image nor a reason why there is none: an application's own model, or an answer that was cut down.
  if (imageCount === 0 && !told.some((one) => OF_NONE.some((field) => one[field] !== undefined))) return {}
  return { usage: imageCount > 0 ? { 'unit.output_images': imageCount } : {}, figures: { imageCount } }
}

/** `generateImages`, `editImage` and `upscaleImage` have one path; `mode` and `editMode` of the request tell them apart. */
export const images: Route = {
  endpoint: 'generateImages',
  path: /:predict$/,
  request: facts,
  requestFields: ['parameters'],
  fields: ['predictions'],
  read: readImages,
  // A model of the application's own may answer with anything.
  isUsageOptional: true,
  isTextless: true,
  generated: NOTHING,
  prompt: NOTHING,
}

function videosOf(answer: Json): unknown[] | undefined {
  const response = isObject(answer['response']) ? answer['response'] : {}
  const ofGemini = isObject(response['generateVideoResponse']) ? response['generateVideoResponse'] : undefined
  const videos = ofGemini ? (ofGemini['generatedSamples'] ?? []) : response['videos']
  return Array.isArray(videos) ? (videos as unknown[]) : undefined
}

/** A number, as gRPC has it. */
function codeIn(code: unknown): string | undefined {
  return codeOf(typeof code === 'number' ? `${code}` : code)
}

/** How long a video is stands only in the request that it was made for. */
function readOperation(answer: Json): Reading {
  const id = textOf(answer['name'])
  if (id === undefined) return {}
  if (answer['done'] !== true) return { responseId: id, job: { id, state: 'open' } }
  const videos = videosOf(answer)
  const error = isObject(answer['error']) ? (codeIn(answer['error']['code']) ?? 'operation_error') : undefined
  if (!videos && error === undefined) return {}
  const count = videos?.length ?? 0
  return {
    responseId: id,
    ...(error !== undefined && { error }),
    usage: {},
    job: { id, state: 'over', cameTo: (started) => lengthOf(count, started) },
  }
}

/** `720p` where the request names none. */
function resolutionOf({ metadata }: Pick<RequestFacts, 'metadata'>): string {
  const asked = metadata?.['resolution']
  return typeof asked === 'string' ? asked.toLowerCase() : USUAL_RESOLUTION
}

function lengthOf(videos: number, { metadata }: RequestFacts): CameTo {
  const asked = metadata?.['durationSeconds']
  const isAsked = typeof asked === 'number' && asked > 0
  const durationSeconds = videos * (isAsked ? asked : USUAL_SECONDS)
  if (durationSeconds === 0) return { usage: {} }
  return {
    usage: { 'unit.output_seconds': durationSeconds },
    variant: resolutionOf({ metadata }),
    figures: { durationSeconds },
    ...(!isAsked && { isEstimated: true }),
  }
}

const video = {
  endpoint: 'generateVideos',
  fields: ['name', 'done', 'response', 'error'],
  read: readOperation,
  isTextless: true,
  generated: NOTHING,
  prompt: NOTHING,
} as const

const asking = {
  ...video,
  isFollowUp: true,
  requestFields: [],
  request: (_body: Json, path: string): RequestFacts => ({
    model: /models\/([^/:]+)/.exec(path)?.[1] ?? UNKNOWN_MODEL,
    stream: false,
  }),
} as const

export const videoRoutes: readonly Route[] = [
  { ...video, path: /:predictLongRunning$/, request: facts, requestFields: ['parameters'] },
  { ...asking, method: 'get', path: /(?:^|\/)models\/[^/]+\/operations\/[^/]+$/ },
  { ...asking, path: /:fetchPredictOperation$/ },
]
