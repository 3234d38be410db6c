// The words that bills have for kinds of tokens, and ours for them.

import { BUCKETS, type Bucket } from '../usage.ts'

/** In lower case, with an underscore for whatever stands between words. */
const WORDS: Readonly<Record<string, Bucket>> = {
  input: 'input.text',
  input_tokens: 'input.text',
  prompt_tokens: 'input.text',
  input_text_tokens: 'input.text',
  uncached_input_tokens: 'input.text',
  input_uncached_tokens: 'input.text',
  cached_input: 'input.text.cache_read',
  cached_input_tokens: 'input.text.cache_read',
  cached_tokens: 'input.text.cache_read',
  cache_read: 'input.text.cache_read',
  cache_read_input_tokens: 'input.text.cache_read',
  input_cached_tokens: 'input.text.cache_read',
  input_cached_text_tokens: 'input.text.cache_read',
  cache_write: 'input.text.cache_write',
  cache_write_tokens: 'input.text.cache_write',
  cache_creation_input_tokens: 'input.text.cache_write',
  input_cache_write_tokens: 'input.text.cache_write',
  cache_write_5m: 'input.text.cache_write_5m',
  'cache_creation.ephemeral_5m_input_tokens': 'input.text.cache_write_5m',
  cache_write_1h: 'input.text.cache_write_1h',
  'cache_creation.ephemeral_1h_input_tokens': 'input.text.cache_write_1h',
  output: 'output.text',
  output_tokens: 'output.text',
  completion_tokens: 'output.text',
  output_text_tokens: 'output.text',
  reasoning_tokens: 'output.reasoning',
  input_audio_tokens: 'input.audio',
  audio_input: 'input.audio',
  input_cached_audio_tokens: 'input.audio.cache_read',
  output_audio_tokens: 'output.audio',
  audio_output: 'output.audio',
  input_image_tokens: 'input.image',
  image_input: 'input.image',
  input_cached_image_tokens: 'input.image.cache_read',
  output_image_tokens: 'output.image',
  image_output: 'output.image',
  characters: 'unit.input_characters',
  duration_seconds: 'unit.input_seconds',
  images: 'unit.output_images',
  web_search: 'fee.web_search',
  web_search_calls: 'fee.web_search',
  web_search_requests: 'fee.web_search',
  file_search: 'fee.file_search',
  file_search_calls: 'fee.file_search',
  code_interpreter: 'fee.code_session',
  code_interpreter_sessions: 'fee.code_session',
  code_execution: 'fee.code_session',
  session_usage: 'unit.session_seconds',
}

const OURS: ReadonlyMap<string, Bucket> = new Map(BUCKETS.map((bucket) => [bucket, bucket]))

/** `undefined` for a word that nobody knows. */
export function typeIn(text: string): Bucket | undefined {
  const word = text
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, '_')
  return OURS.get(word) ?? WORDS[word]
}

/**
 * What a sentence of an invoice counts, by the words in it: `Claude Opus 5 Input Tokens, Cache Read`, `gpt 5 mini cchd Inp
 * glbl Tokens`, `Gemini 2.5 Flash GA Text Input - Predictions`.
 */
export function typeOfSentence(text: string): Bucket | undefined {
  const lower = text.toLowerCase().replace(/[^a-z0-9]+/g, ' ')
  const has = (pattern: RegExp) => pattern.test(lower)
  if (has(/\bgrounding|web ?search\b/)) return 'fee.web_search'
  const isOutput = has(/\b(output|outp|opt|outgoing|response|completion|thinking)\b|outputtoken/)
  const isInput = has(/\b(input|inp|prompt|in)\b|inputtoken|\bcache/)
  if (isOutput === isInput && !has(/\bcache|cchd\b/)) return undefined
  const modality = has(/\baudio\b/) ? 'audio' : has(/\bimage\b/) ? 'image' : has(/\bvideo\b/) ? 'video' : 'text'
  if (isOutput && !has(/\bcache|cchd\b/)) return `output.${modality}`
  if (!has(/\b(cache|cached|cchd|caching)|cachewrite|cacheread/))
    return modality === 'text' ? 'input.text' : `input.${modality}`
  if (has(/write|creation|storage/)) return has(/\b1h|1 hour/) ? 'input.text.cache_write_1h' : 'input.text.cache_write'
  return `input.${modality}.cache_read`
}

export function tierOfSentence(text: string): string {
  const lower = text.toLowerCase()
  if (/\bbatch\b/.test(lower)) return 'batch'
  if (/\bflex\b/.test(lower)) return 'flex'
  return /\b(priority|provisioned priority)\b/.test(lower) ? 'priority' : 'standard'
}
