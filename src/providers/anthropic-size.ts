// How large a request on Anthropic's wire can become: images, documents, its own tools, cache writes, fallbacks.

import { isObject, textOf } from './counts.ts'
import { MOST_CLAUDE_IMAGE_TOKENS } from './image-tokens.ts'
import type { Json, RequestFacts } from './provider.ts'
import {
  type Answering,
  bytesOf,
  createTally,
  isPlain,
  listOf,
  mediaOf,
  type RequestSize,
  type Tally,
  TEXT_ONLY,
} from './size.ts'

/**
 * platform.claude.com/docs/en/agents-and-tools/tool-use/overview, in a copy of 2026-07-13: the system prompt that tools
 * bring is 804 tokens at most (Opus 4.7, `any` or `tool`). Later models are not in it: a quarter more for them.
 */
const TOOL_PROMPT = 1000
/**
 * Of tools that Anthropic describes, in copies of their pages: computer use 735 and 499, text editor 700, bash 245. No
 * page was found for memory and for the versions since 2026-08: taken at the worst of the others, and half as much more.
 */
const DESCRIBED_TOOL = 2000
const DESCRIBED = /^(?:text_editor|bash|computer|memory)_\d/
const WEB_SEARCH = /^web_search_\d/
/** A server tool reads the context anew after each use, and no context is larger. */
const LARGEST_CONTEXT = 1_000_000

interface Walk {
  readonly tally: Tally
  cacheWrites: RequestSize['cacheWrites']
}

export function sizeOfMessage(body: Json, _facts: RequestFacts, _by: Answering): RequestSize {
  const walk: Walk = { tally: createTally(), cacheWrites: 'none' }
  const { tally } = walk
  noteCache(walk, body)
  if (typeof body['system'] !== 'string') addBlocks(walk, body['system'])
  for (const message of listOf(body['messages'])) {
    const content = (message as Json | null | undefined)?.['content']
    if (typeof content !== 'string') addBlocks(walk, content)
  }
  const tools = body['tools']
  const uses = tools === undefined ? 0 : addTools(walk, listOf(tools))
  if (body['container'] !== undefined) tally.reasons.add('container')
  if (listOf(body['mcp_servers']).length > 0) tally.reasons.add('mcp servers')
  if (isObject(body['context_management'])) tally.reasons.add('context management')
  const format = body['output_config'] ?? body['output_format']
  if (isObject(format)) tally.inputTokens += Buffer.byteLength(JSON.stringify(format)) + 500
  const others = listOf(body['fallbacks']).flatMap((one) => (isObject(one) ? (textOf(one['model']) ?? []) : []))
  const geo = textOf(body['inference_geo'])
  const isUsual = uses === 0 && others.length === 0 && geo === undefined && walk.cacheWrites === 'none'
  if (isUsual && isPlain(tally)) return TEXT_ONLY
  return {
    ...TEXT_ONLY,
    inputTokens: tally.inputTokens,
    units: { ...mediaOf(tally), ...(uses > 0 && { 'fee.web_search': uses }) },
    rounds: uses + 1,
    roundTokens: uses > 0 ? LARGEST_CONTEXT : 0,
    cacheWrites: walk.cacheWrites,
    otherModels: others,
    geo: geo === 'global' ? undefined : geo,
    unbounded: [...tally.reasons],
  }
}

/** How many searches the tools may make, all together. */
function addTools(walk: Walk, tools: readonly unknown[]): number {
  const { tally } = walk
  let searches = 0
  if (tools.length > 0) tally.inputTokens += TOOL_PROMPT
  for (const tool of tools) {
    if (!isObject(tool)) continue
    noteCache(walk, tool)
    const type = textOf(tool['type'])
    if (type === undefined || type === 'custom') continue
    if (DESCRIBED.test(type)) tally.inputTokens += DESCRIBED_TOOL
    else if (!WEB_SEARCH.test(type)) tally.reasons.add(`tool ${type.slice(0, 40)}`)
    else if (typeof tool['max_uses'] === 'number') searches += Math.max(0, Math.ceil(tool['max_uses']))
    else tally.reasons.add(`tool ${type.slice(0, 40)} without max_uses`)
  }
  return searches
}

function addBlocks(walk: Walk, blocks: unknown): void {
  const { tally } = walk
  for (const block of listOf(blocks)) {
    if (!isObject(block)) continue
    noteCache(walk, block)
    switch (block['type']) {
      case 'image':
        // Billed as text, also where it is written to the cache.
        tally.inputTokens += MOST_CLAUDE_IMAGE_TOKENS
        break
      case 'document': {
        const source = isObject(block['source']) ? block['source'] : {}
        // A document of plain text lies in `data`, which elsewhere is an image.
        if (source['type'] === 'text') tally.inputTokens += bytesOf(source['data'])
        else if (source['type'] === 'content') addBlocks(walk, source['content'])
        else tally.reasons.add('document')
        break
      }
      case 'container_upload':
        tally.reasons.add('file')
        break
      case 'thinking':
        tally.inputTokens += bytesOf(block['signature'])
        break
      case 'redacted_thinking':
        tally.inputTokens += bytesOf(block['data'])
        break
      default:
        // Results of tools, of one's own and of others, hold blocks of their own.
        if (typeof block['content'] === 'object') addBlocks(walk, block['content'])
        if (block['encrypted_content'] !== undefined) tally.inputTokens += bytesOf(block['encrypted_content'])
    }
  }
}

function noteCache(walk: Walk, holder: Json): void {
  const control = holder['cache_control']
  if (!isObject(control) || walk.cacheWrites === '1h') return
  walk.cacheWrites = control['ttl'] === '1h' ? '1h' : '5m'
}
