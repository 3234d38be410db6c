// OpenAI's files and batches: a file of requests goes in, a file with their answers comes out.

import { type Answer, asText, type Billable, type Call, isJson, type Json } from './wire.ts'

interface StoredFile {
  readonly json: Json
  readonly text: string
  readonly contentType: string
}

/** `answer` is how the wire answers a request by itself. */
export function openaiBatches(answer: (call: Call) => Answer) {
  const files = new Map<string, StoredFile>()
  const batches = new Map<string, { readonly open: Json; readonly over: Json; asked: number }>()

  function store(id: string, text: string, purpose: unknown, filename: string): void {
    const json = {
      id,
      object: 'file',
      bytes: Buffer.byteLength(text),
      created_at: 1,
      filename,
      purpose,
      status: 'processed',
    }
    files.set(id, { json, text, contentType: 'application/octet-stream' })
  }

  /** One line of the input as a line of the results, with what it is charged. */
  function run(line: string, index: number, call: Call): { result: Json; billables: readonly Billable[] } {
    const request = JSON.parse(line) as Json
    const body = isJson(request.body) ? request.body : {}
    const serial = `${call.serial}_${index}`
    const made = answer({ ...call, method: 'POST', path: String(request.url), body, serial })
    const { status, json, billable = [] } = made
    const response = { status_code: status, request_id: `req_${serial}`, body: json }
    const result = { id: `batch_req_${serial}`, custom_id: request.custom_id, response, error: null }
    const all = Array.isArray(billable) ? (billable as readonly Billable[]) : [billable as Billable]
    return { result, billables: all.map((one) => ({ ...one, terms: { tier: 'batch' } })) }
  }

  function create(call: Call): Answer {
    const { body, serial } = call
    const input = files.get(String(body.input_file_id))
    if (!input)
      return {
        status: 400,
        json: {
          error: { message: 'No such file.', type: 'invalid_request_error', param: 'input_file_id', code: null },
        },
      }
    const lines = input.text.split('\n').filter((line) => line.trim() !== '')
    const ran = lines.map((line, index) => run(line, index, call))
    const isFine = ({ result }: (typeof ran)[number]) => (result.response as Json).status_code === 200
    const write = (id: string, of: typeof ran): string | undefined => {
      if (of.length === 0) return undefined
      store(id, of.map(({ result }) => `${JSON.stringify(result)}\n`).join(''), 'batch_output', `${id}.jsonl`)
      return id
    }
    const id = `batch_${serial}`
    const first = ran[0]?.result.response as Json | undefined
    const open = {
      id,
      object: 'batch',
      endpoint: body.endpoint,
      input_file_id: body.input_file_id,
      completion_window: body.completion_window,
      created_at: Math.floor(call.now.getTime() / 1000),
      status: 'validating',
      request_counts: { total: ran.length, completed: 0, failed: 0 },
    }
    const over = {
      ...open,
      status: 'completed',
      model: isJson(first?.body) ? asText(first.body.model) : undefined,
      output_file_id: write(`file-out_${serial}`, ran.filter(isFine)),
      error_file_id: write(
        `file-err_${serial}`,
        ran.filter((one) => !isFine(one)),
      ),
      request_counts: {
        total: ran.length,
        completed: ran.filter(isFine).length,
        failed: ran.filter((one) => !isFine(one)).length,
      },
    }
    batches.set(id, { open, over, asked: 0 })
    return { status: 200, json: open, billable: ran.filter(isFine).flatMap(({ billables }) => billables) }
  }

  function upload({ body, serial }: Call): Answer {
    const file = isJson(body.file) ? body.file : {}
    const id = `file-${serial}`
    store(id, asText(file.text) ?? '', body.purpose, asText(file.filename) ?? 'upload')
    return { status: 200, json: files.get(id)!.json }
  }

  function get(path: string): Answer | undefined {
    const [, file, content] = /\/files\/([^/]+)(\/content)?$/.exec(path) ?? []
    const stored = file === undefined ? undefined : files.get(file)
    if (stored && content) return { status: 200, text: stored.text, contentType: stored.contentType }
    if (stored) return { status: 200, json: stored.json }
    if (path.endsWith('/batches')) {
      const data = [...batches.values()].map(({ over }) => over)
      return {
        status: 200,
        json: {
          object: 'list',
          data,
          has_more: false,
          first_id: data[0]?.id ?? null,
          last_id: data.at(-1)?.id ?? null,
        },
      }
    }
    const batch = batches.get(/\/batches\/([^/]+)$/.exec(path)?.[1] ?? '')
    return batch && { status: 200, json: batch.asked++ > 0 ? batch.over : { ...batch.open, status: 'in_progress' } }
  }

  return {
    /** `undefined` for what is neither. */
    answer(call: Call): Answer | undefined {
      if (call.method === 'GET') return get(call.path)
      if (call.path.endsWith('/files')) return upload(call)
      return call.path.endsWith('/batches') ? create(call) : undefined
    },
  }
}
