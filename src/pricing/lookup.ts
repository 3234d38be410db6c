// Which model of a provider an id means: the id itself, a dated snapshot of it, or, flagged, one of its family.

import type { FamilyRule, ModelData, ProviderData } from './book-data.ts'

export interface Found {
  readonly model: ModelData
  /** The provider whose row it is: a model that Azure serves at its maker's price is found at the maker. */
  readonly provider: string
  /** The id itself is in no list of this provider. */
  readonly isFallback: boolean
}

export type Lookup = (provider: string, model: string) => Found | undefined

/**
 * What makers append to an id to pin or follow one model: `-20250929`, `-2024-08-06`, `-latest`, `-001`, Vertex
 * `@20250929` and `@default`, and behind it the version of Bedrock, `-v1:0`. No other ending: `-2508` of Mistral and
 * `-0709` of xAI are models of their own with prices of their own.
 */
const SNAPSHOT =
  /^(.+?)(?:(?:[-@]20\d\d[01]\d[0-3]\d|-20\d\d-[01]\d-[0-3]\d|[-@]latest|@default|-00\d)(?:-v\d+(?::\d+)?)?|-v\d+:\d+)$/

export function createLookup(providers: Readonly<Record<string, ProviderData>>): Lookup {
  const indexes = new Map<string, ReadonlyMap<string, ModelData>>()

  const indexOf = (provider: string): ReadonlyMap<string, ModelData> => {
    let index = indexes.get(provider)
    if (!index) indexes.set(provider, (index = indexIds(providers[provider]!.models)))
    return index
  }

  const exact = (provider: string, id: string): ModelData | undefined => {
    const index = indexOf(provider)
    const listed = index.get(id)
    if (listed) return listed
    const base = SNAPSHOT.exec(id)?.[1]
    return base === undefined ? undefined : (index.get(base) ?? index.get(`${base}-latest`))
  }

  const family = (provider: string, id: string): ModelData | undefined =>
    providers[provider]!.models.find((model) => model.family?.some((rule) => accepts(rule, id)))

  return (provider, name) => {
    if (!Object.hasOwn(providers, provider)) return undefined
    const id = name.toLowerCase().replace(/^models\//, '')
    const own = exact(provider, id)
    if (own) return { model: own, provider, isFallback: false }
    const makers = (providers[provider]!.like ?? []).filter((maker) => Object.hasOwn(providers, maker))
    for (const maker of makers) {
      const model = exact(maker, id)
      if (model) return { model, provider: maker, isFallback: true }
    }
    for (const candidate of [provider, ...makers]) {
      const model = family(candidate, id)
      if (model) return { model, provider: candidate, isFallback: true }
    }
    return undefined
  }
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
