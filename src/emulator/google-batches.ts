// Google's batches: made when asked for the second time, with their results in them or in a file.

import { NOTHING } from './openai-media.ts'
import { type Answer, asText, type Billable, type Call, isJson, type Json } from './wire.ts'
import { countTokens, sampleVector } from './words.ts'

interface Batch {
  readonly open: Json
  readonly over: Json
  asked: number
}

/** How many requests the file of a batch is taken to hold: the emulator keeps no files. */
const IN_A_FILE = 2

/** `answer` is how the wire answers a request by itself. */
export function googleBatches(answer: (call: Call) => Answer) {
  const batches = new Map<string, Batch>()
  const files = new Map<string, string>()

  function keep(name: string, model: string, output: Json, all: readonly Billable[]): Answer {
    const metadata = (state: string): Json => ({ model: `models/${model}`, displayName: 'emulated', state })
    const open = { name, metadata: metadata('BATCH_STATE_PENDING') }
    const over = { name, done: true, metadata: { ...metadata('BATCH_STATE_SUCCEEDED'), output } }
    batches.set(name, { open, over, asked: 0 })
    const billable = all.map((one) => ({ ...one, terms: { ...one.terms, tier: 'batch' } }))
    return { status: 200, json: open, billable }
  }

  function contents(call: Call, model: string): Answer {
    const { body, serial } = call
    const input = isJson(body.batch) && isJson(body.batch.inputConfig) ? body.batch.inputConfig : {}
    const listed = isJson(input.requests) ? input.requests.requests : undefined
    const requests = Array.isArray(listed)
      ? (listed as unknown[]).map((entry) => (isJson(entry) && isJson(entry.request) ? entry.request : {}))
      : Array.from({ length: IN_A_FILE }, () => ({ contents: [{ parts: [{ text: 'How deep is the sea?' }] }] }))
    const ran = requests.map((request, index) =>
      answer({ ...call, path: `/v1beta/models/${model}:generateContent`, body: request, serial: `${serial}-${index}` }),
    )
    const entries = ran.map(({ status, json }) => (status === 200 ? { response: json } : { error: { code: 3 } }))
    const all = ran.flatMap(({ billable = [] }) => billable)
    const name = `batches/${serial}`
    if (Array.isArray(listed)) return keep(name, model, { inlinedResponses: { inlinedResponses: entries } }, all)
    const file = `files/batch-${serial}`
    files.set(file, entries.map((entry, index) => `${JSON.stringify({ key: `k${index}`, ...entry })}\n`).join(''))
    return keep(name, model, { responsesFile: file }, all)
  }

  function embeddings({ body, serial }: Call, model: string): Answer {
    const input = isJson(body.batch) && isJson(body.batch.inputConfig) ? body.batch.inputConfig : {}
    const listed = isJson(input.requests) && Array.isArray(input.requests.requests) ? input.requests.requests : []
    const made = (listed as unknown[]).map((entry) => {
      const input = countTokens(isJson(entry) && isJson(entry.request) ? entry.request.content : '')
      const counts = { ...NOTHING, input }
      const billable: Billable = {
        model,
        endpoint: 'embedContent',
        terms: {},
        counts,
        usage: () => ({ tokenCount: input }),
      }
      const response = { embedding: { values: sampleVector(serial, 3) }, tokenCount: String(input) }
      return { billable, entry: { response } }
    })
    const inlinedResponses = made.map(({ entry }) => entry)
    const output = { inlinedEmbedContentResponses: { inlinedResponses } }
    return keep(
      `batches/${serial}`,
      model,
      output,
      made.map(({ billable }) => billable),
    )
  }

  /** Vertex AI's: its results are in a storage that nobody sees here, and so is what it charges. */
  function predictions({ body, serial }: Call): Answer {
    const name = `projects/1/locations/us-central1/batchPredictionJobs/${serial}`
    const job = (state: string): Json => ({ name, displayName: 'emulated', model: asText(body.model) ?? '', state })
    batches.set(`batchPredictionJobs/${serial}`, {
      open: job('JOB_STATE_PENDING'),
      over: job('JOB_STATE_SUCCEEDED'),
      asked: 0,
    })
    return { status: 200, json: job('JOB_STATE_PENDING') }
  }

  return {
    contents,
    embeddings,
    /** `undefined` for what is no batch, and no file of one. */
    answer(call: Call): Answer | undefined {
      const { method, path } = call
      if (method === 'POST') return path.endsWith('/batchPredictionJobs') ? predictions(call) : undefined
      const text = files.get(/files\/[^/:]+(?=:download$)/.exec(path)?.[0] ?? '')
      if (text !== undefined) return { status: 200, text, contentType: 'application/jsonl' }
      const batch = batches.get(/(?:batches|batchPredictionJobs)\/[^/:]+$/.exec(path)?.[0] ?? '')
      return batch && { status: 200, json: batch.asked++ > 0 ? batch.over : batch.open }
    },
  }
}
