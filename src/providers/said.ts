// What the model said in an answer, as one text a part: for whoever counts it again. The meter's own estimates take more than this.

import { isObject } from './counts.ts'
import type { Json } from './provider.ts'

export interface Said {
  readonly texts: readonly string[]
  /** Nothing but text was made: no call of a tool, no thoughts, no sound. */
  readonly isTextOnly: boolean
}

/** Of a whole answer, or of the events of its stream in their order. */
export function saidIn(answers: readonly Json[]): Said {
  const texts: string[] = []
  let isTextOnly = true
  const part = (given: unknown): void => {
    if (typeof given === 'string') texts.push(given)
    else if (isObject(given)) {
      const { type, text, refusal, thought } = given
      if (typeof text === 'string' && thought !== true && (type === undefined || TEXTS.has(type))) texts.push(text)
      else if (typeof refusal === 'string') texts.push(refusal)
      else isTextOnly = false
    }
  }
  const parts = (given: unknown): void => {
    for (const one of Array.isArray(given) ? (given as unknown[]) : [given]) part(one)
  }
  const message = (given: Json): void => {
    parts(given['content'] ?? undefined)
    if (typeof given['refusal'] === 'string') texts.push(given['refusal'])
    if (OTHERS.some((name) => given[name] !== undefined && given[name] !== null)) isTextOnly = false
  }

  for (const answer of answers) {
    const { choices, output, content, candidates, delta, contentBlockDelta, contentBlockStart, content_block } = answer
    if (Array.isArray(choices))
      for (const choice of choices.filter(isObject)) {
        const inner = choice['message'] ?? choice['delta']
        if (isObject(inner)) message(inner)
        else part(choice['text'])
      }
    else if (Array.isArray(candidates))
      for (const candidate of candidates.filter(isObject)) parts((candidate['content'] as Json | undefined)?.['parts'])
    else if (Array.isArray(output)) {
      for (const item of output.filter(isObject))
        if (item['type'] === 'message') parts(item['content'])
        else isTextOnly = false
    } else if (isObject(output) && isObject(output['message'])) parts(output['message']['content'])
    else if (content !== undefined && answer['type'] !== 'message_start') parts(content)
    else if (typeof answer['generation'] === 'string') part(answer['generation'])
    else if (typeof answer['outputText'] === 'string') part(answer['outputText'])
    else if (typeof delta === 'string' && answer['type'] === 'response.output_text.delta') part(delta)
    else if (isObject(delta) && answer['type'] === 'content_block_delta') part(delta)
    else if (isObject(contentBlockDelta)) part(contentBlockDelta['delta'])
    else if (isObject(contentBlockStart) || (isObject(content_block) && content_block['type'] !== 'text'))
      isTextOnly = false
  }
  return { texts: texts.filter((text) => text !== ''), isTextOnly }
}

const TEXTS = new Set<unknown>(['text', 'output_text', 'text_delta'])
/** Of a chat message: what is made beside its text. */
const OTHERS = ['tool_calls', 'function_call', 'audio', 'reasoning', 'reasoning_content']

/** The pieces of a stream, which are one text: a token is often sent in two. Whether they are of one kind, they do not tell. */
export function piecesOfOne(pieces: Iterable<string>): Said {
  const text = [...pieces].join('')
  return { texts: text === '' ? [] : [text], isTextOnly: true }
}
