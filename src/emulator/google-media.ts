// Google's images and videos; a video is done when it is asked for the second time.

import { NOTHING } from './openai-media.ts'
import { type Answer, asCount, type Billable, type Call, isJson, type Json } from './wire.ts'

export function predictedImages({ body, reply }: Call, model: string): Answer {
  const parameters = isJson(body.parameters) ? body.parameters : {}
  const images = reply.images ?? asCount(parameters.sampleCount) ?? 1
  const asked = asCount(parameters.sampleCount) ?? images
  const predictions = Array.from({ length: Math.max(asked, images) }, (_, index) =>
    index < images ? { mimeType: 'image/png', bytesBase64Encoded: 'iVBORw0KGgo=' } : { raiFilteredReason: 'Filtered.' },
  )
  const billable: Billable = {
    model,
    endpoint: 'predict',
    terms: {},
    counts: NOTHING,
    extras: { images },
    usage: () => ({ images }),
  }
  return { status: 200, json: { predictions }, ...(images > 0 && { billable }) }
}

/** Gives `undefined` for what is no video. */
export function googleVideos() {
  const operations = new Map<string, { readonly over: Json; asked: number }>()

  function start({ body, reply, path, serial }: Call, model: string): Answer {
    const parameters = isJson(body.parameters) ? body.parameters : {}
    const count = asCount(parameters.sampleCount) ?? 1
    const seconds = count * (asCount(parameters.durationSeconds) ?? 8)
    const isVertex = path.includes('/publishers/')
    const owner = /((?:projects|publishers|models)\/.*):/.exec(path)?.[1] ?? `models/${model}`
    const name = `${owner}/operations/op_${serial}`
    const uri = `https://generativelanguage.example/${serial}`
    const videos = Array.from({ length: count }, (_, index) =>
      isVertex ? { gcsUri: `gs://bucket/${index}.mp4`, mimeType: 'video/mp4' } : { video: { uri: `${uri}/${index}` } },
    )
    const fails = reply.errorCode !== undefined
    const response = isVertex ? { videos } : { generateVideoResponse: { generatedSamples: videos } }
    const outcome = fails ? { error: { code: 13, message: 'It failed.' } } : { response }
    operations.set(name, { over: { name, done: true, ...outcome }, asked: 0 })
    const billable: Billable = {
      model,
      endpoint: 'predictLongRunning',
      responseId: name,
      terms: {},
      counts: NOTHING,
      extras: { outputSeconds: seconds },
      usage: () => ({ seconds }),
    }
    return { status: 200, json: { name }, ...(!fails && { billable }) }
  }

  function ask(name: string): Answer | undefined {
    const operation = operations.get(name)
    if (!operation) return undefined
    return { status: 200, json: operation.asked++ > 0 ? operation.over : { name } }
  }

  return { start, ask }
}
