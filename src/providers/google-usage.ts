// Google's usage metadata, in disjoint buckets.

import { type Counts, codeOf, counts, hiddenTokens, isObject, type Quantities, type UsageReading } from './counts.ts'
import type { Json, Reading } from './provider.ts'

const NAMES = { input: 'promptTokenCount', output: 'candidatesTokenCount', total: 'totalTokenCount' } as const
const TOTALS = [...Object.values(NAMES), 'cachedContentTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount']

/** In the order in which a discount on them saves more. */
const KINDS = ['text', 'image', 'video', 'audio'] as const
type Kind = (typeof KINDS)[number]
type ByKind = Record<Kind, number>

const KIND_OF = new Map<unknown, Kind>([
  ['IMAGE', 'image'],
  ['AUDIO', 'audio'],
  ['VIDEO', 'video'],
  // `TEXT`, `DOCUMENT` and what is not specified are counted, and priced, as text (genai.d.ts, MediaModality).
])

/**
 * `promptTokenCount` includes cached tokens; `candidatesTokenCount` excludes thoughts, and the prompt of tools stands
 * apart: total = prompt + candidates + tool-use prompt + thoughts (genai.d.ts, doc comment of totalTokenCount). A count
 * of zero is left out, so only the prompt must be there.
 */
export function readUsageMetadata(usage: unknown): UsageReading & Pick<Reading, 'serviceTier'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const prompt = count.need(usage, NAMES.input)
  const cached = count.of(usage, 'cachedContentTokenCount')
  const candidates = count.of(usage, NAMES.output)
  const thoughts = count.of(usage, 'thoughtsTokenCount')
  const toolUse = count.of(usage, 'toolUsePromptTokenCount')
  const hidden = hiddenTokens(count, usage, NAMES, prompt + candidates + toolUse + thoughts)
  const answered = byKind(count, usage, 'candidatesTokensDetails') ?? none()
  const rest = candidates - sum(answered)
  if (rest < 0) count.flag('sum', 'candidatesTokensDetails')
  const reading = count.reading(
    {
      ...splitPrompt(count, usage, prompt + hidden.input, cached),
      'input.text.tool_use': toolUse,
      'output.text': answered.text + Math.max(0, rest) + hidden.output,
      'output.image': answered.image,
      'output.audio': answered.audio,
      'output.video': answered.video,
      'output.reasoning': thoughts,
    },
    usage,
    TOTALS,
  )
  const serviceTier = codeOf(usage['trafficType']) ?? codeOf(usage['serviceTier'])
  return serviceTier === undefined ? reading : { ...reading, serviceTier }
}

function splitPrompt(count: Counts, usage: Json, prompt: number, cached: number): Quantities {
  const listed = byKind(count, usage, 'promptTokensDetails')
  const listedReads = byKind(count, usage, 'cacheTokensDetails')
  const asked = listed ?? { ...(listedReads ?? none()) }
  const rest = prompt - sum(asked)
  if (listed && rest !== 0) count.flag('sum', 'promptTokensDetails')
  // What no list covers is text, unless there is a list that should and it has something dearer.
  if (rest > 0) asked[listed && asked.audio > 0 ? 'audio' : 'text'] += rest
  if (listedReads && sum(listedReads) !== cached) count.flag('sum', 'cacheTokensDetails')
  if (cached > prompt) {
    count.flag('subset', NAMES.input)
    // Nobody knows which number is wrong: no discount is believed, and what is beyond the prompt is billed on top.
    return { ...quantitiesOf(asked, none()), 'input.text.cache_read': cached - prompt }
  }
  const reads = none()
  let left = cached
  for (const kind of KINDS) {
    const most = listedReads ? Math.min(listedReads[kind], asked[kind]) : asked[kind]
    if (listedReads && listedReads[kind] > asked[kind]) count.flag('subset', 'cacheTokensDetails')
    reads[kind] = Math.min(most, left)
    left -= reads[kind]
  }
  return quantitiesOf(asked, reads)
}

function quantitiesOf(asked: ByKind, reads: ByKind): Quantities {
  const quantities: Quantities = {}
  for (const kind of KINDS) {
    quantities[`input.${kind}`] = asked[kind] - reads[kind]
    quantities[`input.${kind}.cache_read`] = reads[kind]
  }
  return quantities
}

/** A list of counts by modality, added up; `undefined` where there is none. */
function byKind(count: Counts, usage: Json, field: string): ByKind | undefined {
  const list = usage[field]
  if (!Array.isArray(list) || list.length === 0) return undefined
  const found = none()
  for (const entry of list as unknown[]) {
    if (isObject(entry)) found[KIND_OF.get(entry['modality']) ?? 'text'] += count.of(entry, 'tokenCount')
  }
  return found
}

function none(): ByKind {
  return { text: 0, image: 0, video: 0, audio: 0 }
}

function sum({ text, image, video, audio }: ByKind): number {
  return text + image + video + audio
}
