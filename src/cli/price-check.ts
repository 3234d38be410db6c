// Which of the models that somebody names have no known price: a list, or a price file, for a build to fail on.

import { readFileSync } from 'node:fs'
import { parsePlaced } from '../pricing/json-places.ts'
import type { PriceBook } from '../pricing/price.ts'
import { ownPrices } from '../pricing/price-file.ts'
import { Stop } from './command.ts'

export interface NamedModel {
  /** As it was named: `openai/gpt-5`, `openai/gpt-5;batch`, or `gpt-5` of any provider. */
  readonly name: string
  /** `guess`: at the prices of its family or its maker. */
  readonly verdict: 'known' | 'guess' | 'unknown'
}

/**
 * The names in a file: a line each (`#` begins a comment), a JSON list of them, or the models of a price file. A price with
 * rates of its own needs no other, so only factors name what must be known.
 */
export function namesIn(path: string): readonly string[] {
  const text = textOf(path)
  if (!/^\s*[[{]/.test(text)) return linesOf(text)
  const list = listOf(text)
  if (list) return list
  return ownPrices(path).agreed.flatMap(({ provider, model, tier, rates }) => {
    if (model === undefined || rates !== undefined) return []
    const named = provider === undefined ? model : `${provider}/${model}`
    return [tier === undefined || tier === 'standard' ? named : `${named};${tier}`]
  })
}

export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (cause) {
    throw new Stop(1, `The file ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`)
  }
}

function linesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
}

function listOf(text: string): readonly string[] | undefined {
  try {
    const { value } = parsePlaced(text)
    return Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : undefined
  } catch {
    // Whoever reads it as a price file says what is wrong, and where.
    return undefined
  }
}

export function check(book: PriceBook, names: readonly string[], at: number): NamedModel[] {
  const providers = new Set(book.search('').map(({ provider }) => provider))
  return names.map((name) => ({ name, verdict: verdictOf(book, providers, name, at) }))
}

function verdictOf(book: PriceBook, providers: ReadonlySet<string>, asked: string, at: number): NamedModel['verdict'] {
  const [name = '', serviceTier] = asked.split(';')
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(0, slash))
  // Behind a router, ids have a slash of their own: `meta-llama/llama-4`.
  const isOfProvider = slash > 0 && (providers.has(first) || book.rows(first, name.slice(slash + 1)) !== undefined)
  const [sellers, model] = isOfProvider ? [[first], name.slice(slash + 1)] : [[...providers], name]
  if (model.endsWith('*')) {
    const start = model.slice(0, -1).toLowerCase()
    const isNamed = ({ provider, model: id }: { provider: string; model: string }) =>
      sellers.includes(provider) &&
      (book.rows(provider, id)?.ids ?? []).some((one) => one.startsWith(start)) &&
      (serviceTier === undefined || book.price({}, { provider, model: id, at, serviceTier }) !== undefined)
    return book.search(start).some(isNamed) ? 'known' : 'unknown'
  }
  const priced = sellers.filter((provider) => book.price({}, { provider, model, at, serviceTier }))
  if (priced.length === 0) return 'unknown'
  const isListed = (provider: string) => ['listed', 'snapshot'].includes(book.rows(provider, model)?.found ?? 'listed')
  if (priced.some(isListed)) return 'known'
  // Without a provider named, a family of somebody's is no answer.
  return isOfProvider ? 'guess' : 'unknown'
}
