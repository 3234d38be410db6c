// How large a request on OpenAI's wire can become: images, sound, files, hosted tools, stored conversations.

import { isObject } from './counts.ts'
import { mostImageTokens } from './image-tokens.ts'
import type { Json, RequestFacts } from './provider.ts'
import {
  type Answering,
  bytesOf,
  countOf,
  createTally,
  isPlain,
  listOf,
  mediaOf,
  type RequestSize,
  type Tally,
  TEXT_ONLY,
} from './size.ts'

/** Tools that the application runs itself and describes itself. */
const OWN_TOOLS = new Set(['function', 'custom'])

/**
 * Hosted tools with a fee for each use. The guide of web search, in an undated copy: it is limited to a context of
 * 128,000 tokens, whatever that of the model, so it brings no more.
 */
const SEARCHES: Readonly<Record<string, 'fee.web_search' | 'fee.file_search'>> = {
  web_search: 'fee.web_search',
  web_search_preview: 'fee.web_search',
}
const SEARCH_CONTEXT = 128_000

/**
 * A token for each 100 ms of the user's sound (guide of managing costs of Realtime, in undated copies), of sound with
 * 1,000 bytes a second at least: MP3 has no lower rate than 8 kbit/s, and speech in WAV far more.
 */
const BYTES_AN_AUDIO_TOKEN = 100

export function sizeOfChat(body: Json, facts: RequestFacts, by: Answering): RequestSize {
  const messages = body['messages']
  const tally = createTally()
  if (Array.isArray(messages)) {
    for (const message of messages as unknown[]) {
      if (!isObject(message)) continue
      const content = message['content']
      if (typeof content !== 'string') for (const part of listOf(content)) addPart(tally, part, facts.model, by)
      // What the assistant said aloud is sent back by its id alone.
      if (isObject(message['audio'])) tally.reasons.add('stored sound')
    }
  }
  const tools = body['tools']
  if (tools !== undefined) for (const tool of listOf(tools)) if (!isOwn(tool)) tally.reasons.add(`tool ${typeOf(tool)}`)
  if (body['web_search_options'] !== undefined || facts.model.includes('-search')) tally.reasons.add('web search')
  if (body['store_id'] !== undefined || body['conversation'] !== undefined) tally.reasons.add('stored conversation')
  // OpenRouter: the models that are tried in turn, and plugins of its own.
  if (body['plugins'] !== undefined) tally.reasons.add('plugins')
  const others = listOf(body['models']).filter((model) => typeof model === 'string')
  return sized(tally, body, others)
}

export function sizeOfResponse(body: Json, facts: RequestFacts, by: Answering): RequestSize {
  const tally = createTally()
  for (const item of listOf(body['input'])) {
    if (!isObject(item)) continue
    for (const part of listOf(item['content'])) addPart(tally, part, facts.model, by)
    for (const part of listOf(item['output'])) addPart(tally, part, facts.model, by)
    addPart(tally, item, facts.model, by)
  }
  if (body['previous_response_id'] || body['conversation']) tally.reasons.add('stored conversation')
  if (body['prompt']) tally.reasons.add('stored prompt')
  if (body['background'] === true) tally.reasons.add('background')
  const tools = listOf(body['tools'])
  const cap = body['max_tool_calls']
  const calls = typeof cap === 'number' && cap >= 0 ? cap : undefined
  let fees: RequestSize['units'] = {}
  for (const tool of tools) {
    if (isOwn(tool)) continue
    const fee = SEARCHES[typeOf(tool).replace(/_\d{4}_\d{2}_\d{2}$/, '')]
    if (fee === undefined) tally.reasons.add(`tool ${typeOf(tool)}`)
    else if (calls === undefined) tally.reasons.add(`tool ${typeOf(tool)} without max_tool_calls`)
    else fees = { ...fees, [fee]: calls }
  }
  const size = sized(tally, body, [])
  if (Object.keys(fees).length === 0 || calls === undefined) return size
  return { ...size, units: { ...size.units, ...fees }, rounds: calls + 1, roundTokens: SEARCH_CONTEXT }
}

function sized(tally: Tally, body: Json, otherModels: readonly string[]): RequestSize {
  const choices = body['n'] === undefined ? 1 : countOf(body['n'])
  const isSpoken = Array.isArray(body['modalities']) && body['modalities'].includes('audio')
  if (isPlain(tally) && choices === 1 && !isSpoken && otherModels.length === 0) return TEXT_ONLY
  return {
    ...TEXT_ONLY,
    inputTokens: tally.inputTokens,
    units: mediaOf(tally),
    output: isSpoken ? ['audio'] : [],
    choices,
    otherModels,
    unbounded: [...tally.reasons],
  }
}

function addPart(tally: Tally, part: unknown, model: string, { provider }: Answering): void {
  if (!isObject(part)) return
  switch (part['type']) {
    case 'image_url':
    case 'input_image':
    case 'computer_screenshot': {
      const inner = isObject(part['image_url']) ? part['image_url'] : part
      // What an image comes to depends on its model alone, however large it is, and wherever it lies.
      const tokens = mostImageTokens(provider, model, inner['detail'])
      if (tokens === undefined) tally.reasons.add('image')
      else tally.images += tokens
      return
    }
    case 'input_audio': {
      const sound = isObject(part['input_audio']) ? part['input_audio'] : part
      tally.audio += Math.ceil(bytesOf(sound['data']) / BYTES_AN_AUDIO_TOKEN) + 10
      return
    }
    case 'file':
    case 'input_file':
      tally.reasons.add('file')
      return
    case 'video_url':
      tally.reasons.add('video')
      return
    case 'item_reference':
      tally.reasons.add('stored item')
      return
    case 'reasoning':
    case 'compaction':
      // Thoughts that are sent back: no more tokens than the bytes of what they are encrypted in.
      tally.inputTokens += bytesOf(part['encrypted_content'])
  }
}

function isOwn(tool: unknown): boolean {
  return OWN_TOOLS.has(typeOf(tool))
}

function typeOf(tool: unknown): string {
  const type = isObject(tool) ? tool['type'] : undefined
  return typeof type === 'string' ? type.slice(0, 40) : 'unknown'
}
