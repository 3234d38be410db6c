// A tokenizer that its user brings: the `tokenizer.json` of Hugging Face's tokenizers, read and counted with here. Nothing is fetched.

import { readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MeterError } from '../../errors.ts'
import { isObject } from '../../providers/counts.ts'
import { type CountPiece, mergesOf } from './merges.ts'
import { listOf, normalizerOf } from './normalizers.ts'
import { patternOf, unsupported } from './pattern.ts'
import { piecesOf } from './pieces.ts'
import { unigramOf } from './unigram.ts'

/** Counts the tokens of texts as one model does. */
export interface TokenizerFile {
  /** `sha256:` and the hash of the file: which tokenizer it was. */
  readonly fingerprint: string
  count(text: string): Promise<number>
}

const CHARACTERS_A_TURN = 16_384
const PIECES_REMEMBERED = 50_000
const LONGEST_REMEMBERED = 64

/**
 * Reads a `tokenizer.json`. Byte-level BPE (GPT, Llama 3, Qwen, DeepSeek), BPE with byte fallback (Llama 2, Mistral,
 * Gemma) and unigram models are counted; of any other the error says in one sentence what it is.
 */
export function readTokenizer(path: string): TokenizerFile {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new MeterError('BAD_INPUT', `The tokenizer file ${path} cannot be read (${code}).`, { cause })
  }
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new MeterError('BAD_INPUT', `The tokenizer file ${path} is no JSON.`, { cause })
  }
  const { createHash } = process.getBuiltinModule('node:crypto')
  return tokenizerIn(json, `sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

export function tokenizerIn(json: unknown, fingerprint: string): TokenizerFile {
  if (!isObject(json) || !isObject(json['model'])) throw unsupported('it has no `model`')
  const normalize = normalizerOf(json['normalizer'])
  const { cut, isByteLevel } = piecesOf(json['pre_tokenizer'])
  const countPiece = counterOf(json['model'], isByteLevel)
  const added = addedIn(json['added_tokens'])
  const known = new Map<string, number>()

  function counted(piece: string): number {
    let tokens = known.get(piece)
    if (tokens !== undefined) return tokens
    tokens = countPiece(piece)
    if (known.size >= PIECES_REMEMBERED) known.clear()
    if (piece.length <= LONGEST_REMEMBERED) known.set(piece, tokens)
    return tokens
  }

  async function countPart(part: string, isFirst: boolean): Promise<number> {
    let tokens = 0
    let sinceTurn = 0
    for (const piece of cut(normalize(part), isFirst)) {
      tokens += counted(piece)
      if ((sinceTurn += piece.length) < CHARACTERS_A_TURN) continue
      sinceTurn = 0
      await nextTurn()
    }
    return tokens
  }

  return {
    fingerprint,
    async count(text) {
      if (!added) return countPart(text, true)
      let tokens = 0
      let end = 0
      for (const match of text.matchAll(added)) {
        if (match.index > end) tokens += await countPart(text.slice(end, match.index), end === 0)
        tokens++
        end = match.index + match[0].length
      }
      if (end < text.length) tokens += await countPart(text.slice(end), end === 0)
      return tokens
    },
  }
}

function counterOf(model: Record<string, unknown>, isByteLevel: boolean): CountPiece {
  // Files of before 2020 do not say it.
  const type = model['type'] ?? (Array.isArray(model['merges']) ? 'BPE' : undefined)
  if (type === 'BPE') return mergesOf(model)
  if (type === 'Unigram' && !isByteLevel) return unigramOf(model)
  throw unsupported(`its model is of the type ${JSON.stringify(type ?? null)}, and BPE and Unigram are known`)
}

/** Tokens beside the model that stand for text, such as runs of spaces; those that steer a model are never text to a provider. */
function addedIn(described: unknown): RegExp | undefined {
  const contents = listOf(described)
    .filter(isObject)
    .filter(({ special, content }) => special !== true && typeof content === 'string' && content !== '')
    .map(({ content }) => content as string)
    .sort((a, b) => b.length - a.length)
  if (contents.length === 0) return undefined
  return new RegExp(contents.map((content) => patternOf({ String: content }, 'an added token').source).join('|'), 'ug')
}
