// What the stubbed `fetch` answers: bytes as the providers send them, made anew for each call, without a network.

const HEADERS = {
  date: 'Sun, 22 Nov 2026 01:00:00 GMT',
  'content-type': 'application/json',
  'access-control-expose-headers': 'X-Request-ID',
  'openai-organization': 'org-bench',
  'openai-processing-ms': '412',
  'openai-version': '2020-10-01',
  'x-ratelimit-limit-requests': '10000',
  'x-ratelimit-limit-tokens': '2000000',
  'x-ratelimit-remaining-requests': '9999',
  'x-ratelimit-remaining-tokens': '1999980',
  'x-request-id': 'req_b1946ac92492d2347c6235b4d2611184',
  'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
}

export const TEXT = 'The sea is deep: 3,688 metres on average, and 10,935 in the Challenger Deep. '.repeat(4).trim()
const AT = 1_795_309_200

export const CHAT = JSON.stringify({
  id: 'chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012',
  object: 'chat.completion',
  created: AT,
  model: 'gpt-4o-2024-08-06',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: TEXT, refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: {
    prompt_tokens: 1117,
    completion_tokens: 88,
    total_tokens: 1205,
    prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  },
  service_tier: 'default',
  system_fingerprint: 'fp_50cad350e4',
})

export const MESSAGE = JSON.stringify({
  id: 'msg_01XFDUDYJgAACzvnptvVoYEL',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-5',
  content: [{ type: 'text', text: TEXT }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: {
    input_tokens: 93,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 1024,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: 88,
    service_tier: 'standard',
  },
})

export const CONTENT = JSON.stringify({
  candidates: [{ content: { parts: [{ text: TEXT }], role: 'model' }, finishReason: 'STOP', index: 0 }],
  usageMetadata: {
    promptTokenCount: 1117,
    candidatesTokenCount: 88,
    totalTokenCount: 1205,
    cachedContentTokenCount: 1024,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1117 }],
    cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 1024 }],
    candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 88 }],
  },
  modelVersion: 'gemini-2.5-flash',
  responseId: 'mN9aZ7u1HcK5nsEP0KfKuA4',
})

/** A `fetch` that answers every request with this JSON at once. */
export function answering(json: string): typeof fetch {
  return async () => new Response(json, { status: 200, headers: HEADERS })
}

/** The events of a chat stream of `chunks` chunks of text, as OpenAI sends them with or without `include_usage`. */
export function chatEvents(chunks: number, withUsage: boolean): Uint8Array[] {
  const chunk = (choices: unknown, usage: unknown) =>
    `data: ${JSON.stringify({
      id: 'chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012',
      object: 'chat.completion.chunk',
      created: AT,
      model: 'gpt-4o-2024-08-06',
      service_tier: 'default',
      system_fingerprint: 'fp_50cad350e4',
      choices,
      ...(withUsage && { usage }),
      obfuscation: 'vN3pXq',
    })}\n\n`
  const choice = (delta: object, finish: string | null) => [{ index: 0, delta, logprobs: null, finish_reason: finish }]
  const events = [chunk(choice({ role: 'assistant', content: '', refusal: null }, null), null)]
  for (let at = 2; at < chunks; at++) events.push(chunk(choice({ content: ` word${at % 10}` }, null), null))
  events.push(chunk(choice({}, 'stop'), null))
  const usage = {
    prompt_tokens: 1117,
    completion_tokens: chunks,
    total_tokens: 1117 + chunks,
    prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  }
  if (withUsage) events.push(chunk([], usage))
  events.push('data: [DONE]\n\n')
  const encoder = new TextEncoder()
  return events.map((event) => encoder.encode(event))
}

/** A `fetch` that answers with an event stream: with usage where the request asks for it, as the provider does. */
export function streaming(chunks: number): typeof fetch {
  const asked = chatEvents(chunks, true)
  const unasked = chatEvents(chunks, false)
  return async (_, init) => {
    const events = (typeof init?.body === 'string' ? init.body : '').includes('"include_usage":true') ? asked : unasked
    let at = 0
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (at < events.length) controller.enqueue(events[at++]!)
          else controller.close()
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { status: 200, headers: { ...HEADERS, 'content-type': 'text/event-stream' } })
  }
}
