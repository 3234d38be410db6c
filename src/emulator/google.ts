// Google's wire: which path is answered how, and its errors.

import { generate } from './generation.ts'
import { googleBatches } from './google-batches.ts'
import { googleCaches } from './google-caches.ts'
import { content, details } from './google-content.ts'
import { embeddings, predictedEmbeddings } from './google-embeddings.ts'
import { googleInteractions } from './google-interactions.ts'
import { googleVideos, predictedImages } from './google-media.ts'
import { type Answer, asCount, type Call, type Failure, isJson, type Json, type Wire } from './wire.ts'
import { countTokens } from './words.ts'

/** `/v1beta/models/m:verb`, `/v1/…`, and Vertex' `/v1beta1/projects/p/locations/l/publishers/google/models/m:verb`. */
const PATH = /\/(?:models|tunedModels|endpoints)\/([^/:]+):(\w+)$/

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

function failure({ status, message, code }: Failure): Json {
  const name = code ?? STATUSES[status] ?? (status < 500 ? 'FAILED_PRECONDITION' : 'INTERNAL')
  return { error: { code: status, message: message ?? `Emulated ${status}.`, status: name } }
}

function reject(status: number, message: string): Answer {
  return { status, json: failure({ status, message }) }
}

function generated(call: Call): Answer {
  const { path, body, reply } = call
  const [, name = '', verb] = PATH.exec(path) ?? []
  const config = isJson(body.generationConfig) ? body.generationConfig : {}
  const tokens = countTokens([body.systemInstruction, body.contents, body.tools])
  if (!Array.isArray(body.contents)) return reject(400, 'contents is not specified')
  const prompt = {
    tokens,
    cap: asCount(config.maxOutputTokens),
    choices: asCount(config.candidateCount),
    serial: call.serial,
  }
  return content(
    call,
    reply.model ?? decodeURIComponent(name),
    generate(prompt, reply),
    verb === 'streamGenerateContent',
  )
}

export function googleWire(): Wire {
  const videos = googleVideos()
  const batches = googleBatches(generated)
  const caches = googleCaches()
  const interactions = googleInteractions()

  function answer(call: Call): Answer {
    const { method, path, body, reply } = call
    const known = interactions(call) ?? caches(call) ?? batches.answer(call)
    if (known) return known
    if (path.endsWith(':fetchPredictOperation'))
      return videos.ask(String(body.operationName)) ?? reject(404, 'Operation not found.')
    const operation =
      method === 'GET' ? /(?:projects|publishers|models)\/.*\/operations\/[^/]+$/.exec(path)?.[0] : undefined
    const asked = operation === undefined ? undefined : videos.ask(operation)
    if (asked) return asked
    const [, name, verb] = PATH.exec(path) ?? []
    if (method !== 'POST' || name === undefined) return reject(404, `${method} ${path} was not found.`)
    const model = reply.model ?? decodeURIComponent(name)
    switch (verb) {
      case 'generateContent':
      case 'streamGenerateContent':
        return generated(call)
      case 'countTokens': {
        const counted = isJson(body.generateContentRequest) ? body.generateContentRequest : body
        const tokens = countTokens([counted.systemInstruction, counted.contents, counted.tools])
        return { status: 200, json: { totalTokens: tokens, promptTokensDetails: details({ TEXT: tokens }) } }
      }
      case 'embedContent':
        return embeddings(call, model, [body], (values) => ({ embedding: values[0] }))
      case 'batchEmbedContents':
        if (!Array.isArray(body.requests)) return reject(400, 'requests is not specified')
        return embeddings(call, model, body.requests, (values) => ({ embeddings: values }))
      case 'predict':
        return model.includes('embedding') ? predictedEmbeddings(call, model) : predictedImages(call, model)
      case 'predictLongRunning':
        return videos.start(call, model)
      case 'batchGenerateContent':
        return batches.contents(call, model)
      case 'asyncBatchEmbedContent':
        return batches.embeddings(call, model)
      default:
        return reject(404, `models/${name} is not supported for ${verb}.`)
    }
  }

  return {
    provider: 'google',
    lineEnd: '\r\n',
    answer,
    failure,
    failureEvent: (reason) => ({ data: failure(reason) }),
    headers: () => ({ server: 'scaffolding on HTTPServer2', vary: 'Origin, X-Origin, Referer' }),
  }
}
