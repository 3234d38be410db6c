// Which model of a provider an id means: the id itself, a dated snapshot of it, or, flagged, one of its family.

import type { BookData, FamilyRule, ModelData } from './book-data.ts'
import { providerNamed } from './provider-names.ts'

export interface Found {
  readonly model: ModelData
  /** The provider whose row it is: a model that Azure serves at its maker's price is found at the maker. */
  readonly provider: string
  readonly how: 'listed' | 'snapshot' | 'maker' | 'family'
}

/** The price is a guess: the id itself is in no list of this provider. */
export function isFallback({ how }: Found): boolean {
  return how === 'maker' || how === 'family'
}

export interface Lookup {
  (provider: string, model: string): Found | undefined
  /** The name in the book: `bedrock` is its `aws`. `undefined` where it has no prices of such a provider. */
  providerOf(name: string): string | undefined
}

/**
 * What makers append to an id to pin or follow one model: `-20250929`, `-2024-08-06`, `-latest`, `-001`, Vertex
 * `@20250929` and `@default`, and behind it the version of Bedrock, `-v1:0`. No other ending: `-2508` of Mistral and
 * `-0709` of xAI are models of their own with prices of their own.
 */
const SNAPSHOT =
  /^(.+?)(?:(?:[-@](20\d\d[01]\d[0-3]\d)|-(20\d\d-[01]\d-[0-3]\d)|[-@]latest|@default|-00\d)(?:-v\d+(?::\d+)?)?|-v\d+:\d+)$/

/** `ft:gpt-4o-2024-08-06:acme::abc123`: a model of OpenAI that was trained further is billed by what it was before. */
const TRAINED = /^(ft:[^:]+):/

/** `models/gemini-3.8-flash`, `projects/p/locations/l/publishers/google/models/gemini-3.8-flash`. */
const RESOURCE = /^(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\//

/** `arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-5`. */
const ARN = /^arn:[^/]+\//

/** No maker has a longer one; what is longer is not kept, nor run through rules. */
const LONGEST_ID = 200

export function createLookup({ providers, read = '' }: Pick<BookData, 'providers' | 'read'>): Lookup {
  const indexes = new Map<string, ReadonlyMap<string, ModelData>>()
  const asOf = read.replaceAll('-', '')

  const indexOf = (provider: string): ReadonlyMap<string, ModelData> => {
    let index = indexes.get(provider)
    if (!index) indexes.set(provider, (index = indexIds(providers[provider]!.models)))
    return index
  }

  const exact = (provider: string, id: string): Found | undefined => {
    const index = indexOf(provider)
    const listed = index.get(id)
    if (listed) return { model: listed, provider, how: 'listed' }
    const [, base, compact, dashed] = SNAPSHOT.exec(id) ?? []
    if (base === undefined) return undefined
    const model = index.get(base) ?? index.get(`${base}-latest`) ?? index.get(`${base}-v1:0`)
    // One made after the prices were read can have a price of its own; one before would be listed with it.
    const isNewer = asOf !== '' && (compact ?? dashed?.replaceAll('-', '') ?? '') > asOf
    return model && { model, provider, how: isNewer ? 'family' : 'snapshot' }
  }

  const family = (provider: string, id: string): Found | undefined => {
    const model = providers[provider]!.models.find((candidate) => candidate.family?.some((rule) => accepts(rule, id)))
    return model && { model, provider, how: 'family' }
  }

  const providerOf = (name: string): string | undefined => {
    if (Object.hasOwn(providers, name)) return name
    const known = providerNamed(name)
    return Object.hasOwn(providers, known) ? known : undefined
  }

  const find = (name: string, model: string): Found | undefined => {
    const provider = providerOf(name)
    if (provider === undefined || model.length > LONGEST_ID) return undefined
    const lower = model.toLowerCase()
    const listed = indexOf(provider).get(lower)
    if (listed) return { model: listed, provider, how: 'listed' }
    const plain = withoutSeller(provider, lower).replace(RESOURCE, '').replace(ARN, '')
    const id = TRAINED.exec(plain)?.[1] ?? plain
    const own = exact(provider, id)
    if (own && own.how !== 'family') return own
    const makers = (providers[provider]!.like ?? []).filter((maker) => Object.hasOwn(providers, maker))
    for (const maker of makers) {
      const found = exact(maker, id)
      if (found) return { ...found, how: found.how === 'family' ? 'family' : 'maker' }
    }
    if (own) return own
    for (const candidate of [provider, ...makers]) {
      const found = family(candidate, plain)
      if (found) return found
    }
    return undefined
  }

  return Object.assign(find, { providerOf })
}

/** `openai/gpt-4o` at OpenAI, `bedrock/anthropic.claude-opus-5` at Bedrock: how routers and their clients spell an id. */
function withoutSeller(provider: string, id: string): string {
  const slash = id.indexOf('/')
  return slash > 0 && providerNamed(id.slice(0, slash)) === provider ? id.slice(slash + 1) : id
}

function indexIds(models: readonly ModelData[]): ReadonlyMap<string, ModelData> {
  const index = new Map<string, ModelData>()
  for (const model of models) for (const id of model.ids) if (!index.has(id)) index.set(id, model)
  return index
}

/** Whether a rule takes an id in lower case. */
export function accepts(rule: FamilyRule, id: string): boolean {
  if (rule.or) return rule.or.some((part) => accepts(part, id))
  if (rule.and) return rule.and.every((part) => accepts(part, id))
  if (rule.equals !== undefined) return id === rule.equals.toLowerCase()
  if (rule.starts_with !== undefined) return id.startsWith(rule.starts_with.toLowerCase())
  if (rule.ends_with !== undefined) return id.endsWith(rule.ends_with.toLowerCase())
  if (rule.contains !== undefined) return id.includes(rule.contains.toLowerCase())
  return rule.regex !== undefined && new RegExp(rule.regex).test(id)
}
