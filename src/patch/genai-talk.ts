// What the messages of Google's Live API mean, as far as something is billed.
//
// A turn is a response; its parts name nothing that they belong to. Usage is told once for each generation, not as a
// total of the session (measured on two models: pydantic/pydantic-ai PR 7269, 2026-08), beside content or after it, and
// within a turn by tools once before their results are sent and once after.

import type { Message, Received, Sent, Talk } from './socket-talk.ts'

const TURN = 'turn'
/** What the model makes, or says of what it makes. */
const CONTENT = [
  'modelTurn',
  'outputTranscription',
  'generationComplete',
  'interrupted',
  'turnComplete',
  'groundingMetadata',
]

export function googleTalk(model: string, config: unknown): Talk {
  /** Nothing more is made in this turn; only its usage may still come. */
  let isMade = false
  let hasUsage = false

  function received(message: Message): Received | undefined {
    const content = message['serverContent'] as Message | undefined
    const isUsage = typeof message['usageMetadata'] === 'object' && message['usageMetadata'] !== null
    const isContent =
      message['toolCall'] !== undefined || (content && CONTENT.some((name) => content[name] !== undefined))
    if (!isUsage && !isContent) return undefined
    const isNew = isMade && isContent === true
    if (isNew) {
      isMade = false
      hasUsage = false
    }
    hasUsage ||= isUsage
    isMade ||= content?.['turnComplete'] === true
    if (isMade && hasUsage) {
      isMade = false
      hasUsage = false
      return { kind: 'over', key: TURN, lane: TURN }
    }
    return isNew ? { kind: 'begun', key: TURN, lane: TURN } : { kind: 'part', key: TURN, lane: TURN, begins: true }
  }

  function sent(message: Message): Sent | undefined {
    const content = message['clientContent'] as Message | undefined
    if (content) return content['turnComplete'] === false ? undefined : { kind: 'ask', lane: TURN }
    if (message['toolResponse'] && hasUsage) {
      // What was made before the tools were called is told and billed: what follows is another generation.
      isMade = true
      return { kind: 'ask', lane: TURN }
    }
    return { kind: 'feed' }
  }

  return { setting: { model, config }, sent, received }
}
