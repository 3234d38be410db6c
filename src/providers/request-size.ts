// How large a request can become, before it is sent: what of it is billed besides its texts, and what nothing bounds.

import { sizeOfMessage } from './anthropic-size.ts'
import { sizeOfContent } from './google-size.ts'
import { sizeOfImages, sizeOfSpeech, sizeOfVideo } from './media-size.ts'
import { sizeOfChat, sizeOfResponse } from './openai-size.ts'
import type { Json, RequestFacts } from './provider.ts'
import { type Answering, type RequestSize, TEXT_ONLY, unbounded } from './size.ts'

type Sizer = (body: Json, facts: RequestFacts, by: Answering) => RequestSize

const TEXT: Sizer = () => TEXT_ONLY
const MADE_OF_MANY: Sizer = () => unbounded('it leads to calls of its own')
const LENGTH_OF_SOUND: Sizer = () => unbounded('how long the sound is')

const SIZERS: Readonly<Record<string, Sizer>> = {
  'chat.completions': sizeOfChat,
  'fim.completions': TEXT,
  completions: TEXT,
  embeddings: TEXT,
  decisions: TEXT,
  responses: sizeOfResponse,
  'responses.compact': sizeOfResponse,
  messages: sizeOfMessage,
  complete: TEXT,
  generateContent: sizeOfContent,
  embedContent: sizeOfContent,
  'images.generate': sizeOfImages,
  'images.edit': sizeOfImages,
  'images.createVariation': sizeOfImages,
  generateImages: sizeOfImages,
  'audio.speech': sizeOfSpeech,
  'audio.transcriptions': LENGTH_OF_SOUND,
  'audio.translations': LENGTH_OF_SOUND,
  videos: sizeOfVideo,
  generateVideos: sizeOfVideo,
  'videos.extend': sizeOfVideo,
  'videos.edit': () => unbounded('how long the video is'),
  'videos.remix': () => unbounded('how long the video is'),
  chat: TEXT,
  generate: TEXT,
  rerank: (body) => ({
    ...TEXT_ONLY,
    // A search is a query with up to 100 documents (cohere.com/pricing); long ones are cut into several.
    ...unbounded('how many searches the documents come to'),
    units: { 'fee.rerank_search': Math.max(1, Math.ceil(lengthOf(body['documents']) / 100)) },
  }),
  classify: (body) => ({ ...TEXT_ONLY, units: { 'fee.classification': lengthOf(body['inputs']) } }),
  ocr: () => unbounded('how many pages the document has'),
  parse: () => unbounded('how many pages the document has'),
  caches: () => unbounded('how long the cache is kept'),
  batches: MADE_OF_MANY,
  'messages.batches': MADE_OF_MANY,
  'threads.runs': MADE_OF_MANY,
  'agents.sessions': MADE_OF_MANY,
  'agents.completions': MADE_OF_MANY,
  sessions: MADE_OF_MANY,
  conversations: MADE_OF_MANY,
  dreams: MADE_OF_MANY,
  interactions: MADE_OF_MANY,
  'evals.runs': MADE_OF_MANY,
  'fineTuning.jobs': MADE_OF_MANY,
  realtime: MADE_OF_MANY,
  live: MADE_OF_MANY,
  'live.responses': MADE_OF_MANY,
  'live.decisions': MADE_OF_MANY,
  'realtime.transcriptions': LENGTH_OF_SOUND,
}

/** Of an endpoint that is not listed (a provider of the user's own) only the texts are known to be billed. */
export function sizeOfRequest(body: Json, facts: RequestFacts, by: Answering): RequestSize {
  const size = SIZERS[by.endpoint]
  if (size) return size(body, facts, by)
  return by.isTextless ? unbounded('it is billed by something other than text') : TEXT_ONLY
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 1
}
