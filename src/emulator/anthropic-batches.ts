// Anthropic's message batches: over when asked for the second time, and charged at the price of a batch.

import { type Answer, type Billable, type Call, isJson, type Json } from './wire.ts'

/** `answer` is how the wire answers a request by itself; gives `undefined` for what is no batch. */
export function anthropicBatches(answer: (call: Call) => Answer): (call: Call) => Answer | undefined {
  const batches = new Map<string, { readonly open: Json; readonly lines: readonly Json[]; asked: number }>()

  function run(request: unknown, index: number, call: Call): { line: Json; billables: readonly Billable[] } {
    const { custom_id, params } = isJson(request) ? request : {}
    const serial = `${call.serial}_${index}`
    const body = isJson(params) ? params : {}
    const { json, status, billable = [] } = answer({ ...call, path: '/v1/messages', body, serial })
    if (status !== 200) return { line: { custom_id, result: { type: 'errored', error: json } }, billables: [] }
    const message = json as Json
    const usage = isJson(message.usage) ? { ...message.usage, service_tier: 'batch' } : message.usage
    const all = Array.isArray(billable) ? (billable as readonly Billable[]) : [billable as Billable]
    return {
      line: { custom_id, result: { type: 'succeeded', message: { ...message, usage } } },
      billables: all.map((one) => ({ ...one, terms: { ...one.terms, tier: 'batch' } })),
    }
  }

  function create(call: Call): Answer {
    const { requests } = call.body
    const ran = (Array.isArray(requests) ? (requests as unknown[]) : []).map((one, index) => run(one, index, call))
    const id = `msgbatch_${call.serial}`
    const open = {
      id,
      type: 'message_batch',
      processing_status: 'in_progress',
      created_at: call.now.toISOString(),
      results_url: null,
    }
    batches.set(id, { open, lines: ran.map(({ line }) => line), asked: 0 })
    return { status: 200, json: open, billable: ran.flatMap(({ billables }) => billables) }
  }

  return (call) => {
    const { method, path, headers } = call
    if (method === 'POST' && path.endsWith('/messages/batches')) return create(call)
    const [, id = '', results] = /\/messages\/batches\/([^/]+)(\/results)?$/.exec(path) ?? []
    const batch = batches.get(id)
    if (!batch || method !== 'GET') return undefined
    if (results) {
      const text = batch.lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      return { status: 200, text, contentType: 'application/x-jsonl' }
    }
    if (batch.asked++ === 0) return { status: 200, json: batch.open }
    const results_url = `http://${headers.host}${path}/results`
    return { status: 200, json: { ...batch.open, processing_status: 'ended', results_url } }
  }
}
