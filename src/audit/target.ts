// A model to compare with: `provider/model`, or an id that one provider alone sells or that is its maker's.

import { MeterError } from '../errors.ts'
import { nearest } from '../options/nearest.ts'
import type { PriceBook } from '../pricing/price.ts'

export interface Target {
  readonly provider: string
  readonly model: string
}

/** Of an id that resellers list too, the maker's is meant. */
const MAKERS: readonly (readonly [RegExp, string])[] = [
  [/^(?:ft:)?(?:gpt|o[1-9]|chatgpt|text-embedding)/, 'openai'],
  [/^claude/, 'anthropic'],
  [/^(?:gemini|gemma)/, 'google'],
  [/^grok/, 'x-ai'],
  [/^deepseek/, 'deepseek'],
  [/^(?:mistral|ministral|magistral|codestral|devstral|pixtral)/, 'mistral'],
  [/^command/, 'cohere'],
]

/** Throws a `MeterError` of one sentence for what the price book does not have. */
export function targetOf(text: string, book: Pick<PriceBook, 'search' | 'rows'>): Target {
  const wanted = text.trim().toLowerCase()
  const slash = wanted.indexOf('/')
  if (slash > 0) {
    const [provider, model] = [wanted.slice(0, slash), wanted.slice(slash + 1)]
    if (isListed(book, provider, model)) return { provider, model }
  }
  const sellers = [...new Set(book.search('').map(({ provider }) => provider))].filter((provider) =>
    isListed(book, provider, wanted),
  )
  const maker = MAKERS.find(([ids]) => ids.test(wanted))?.[1]
  const provider = sellers.length === 1 ? sellers[0] : sellers.find((seller) => seller === maker)
  if (wanted !== '' && provider !== undefined) return { provider, model: wanted }
  if (sellers.length > 1)
    throw new MeterError(
      'BAD_INPUT',
      `Several providers sell ${JSON.stringify(wanted)}: say which, as ${sellers.map((one) => `\`${one}/${wanted}\``).join(' or ')}.`,
    )
  const near = nearest(wanted.slice(slash + 1), [...new Set(book.search('').map(({ model }) => model))])
  throw new MeterError(
    'BAD_INPUT',
    `The price book has no model ${JSON.stringify(wanted.slice(0, 100))}${near === undefined ? '; `tallygate prices` lists those that it has.' : `; did you mean \`${near}\`?`}`,
  )
}

function isListed(book: Pick<PriceBook, 'rows'>, provider: string, model: string): boolean {
  const found = book.rows(provider, model)?.found
  return found === 'listed' || found === 'snapshot'
}
