// Google's usage metadata, in disjoint buckets.

import type { Bucket } from '../usage.ts'
import { type Counts, codeOf, counts, hiddenTokens, isObject, type Quantities, type UsageReading } from './counts.ts'
import { checkUsage, type UsageShape, usageShape } from './invariants.ts'
import type { Json, Reading } from './provider.ts'

/** How a wire of Google's names its counts. */
export interface Names {
  readonly input: string
  readonly output: string
  readonly total: string
  readonly cached: string
  readonly thoughts: string
  readonly toolUse: string
  readonly inputDetails: string
  readonly outputDetails: string
  readonly cacheDetails: string
  /** Within an entry of the details. */
  readonly tokens: string
  /** Counts that say nothing of the price, or that others stand for. */
  readonly known?: readonly string[]
}

const CONTENT: Names = {
  input: 'promptTokenCount',
  output: 'candidatesTokenCount',
  total: 'totalTokenCount',
  cached: 'cachedContentTokenCount',
  thoughts: 'thoughtsTokenCount',
  toolUse: 'toolUsePromptTokenCount',
  inputDetails: 'promptTokensDetails',
  outputDetails: 'candidatesTokensDetails',
  cacheDetails: 'cacheTokensDetails',
  tokens: 'tokenCount',
  // The Live API's name for the output.
  known: ['responseTokenCount'],
}

const SHAPES = new Map<Names, UsageShape>()

/** genai.d.ts, doc comments of GenerateContentResponseUsageMetadata and of Usage: the same, by other names. */
function shapeOf(names: Names): UsageShape {
  const { input, output, total, cached, thoughts, toolUse, inputDetails, outputDetails, cacheDetails, tokens } = names
  let shape = SHAPES.get(names)
  if (!shape) {
    const listed = (list: string) => ({ flag: list, when: `${list}[].${tokens}`, parts: [`${list}[].${tokens}`] })
    shape = usageShape({
      sums: [
        { whole: total, parts: [input, output, toolUse, thoughts] },
        { whole: input, ...listed(inputDetails) },
        { whole: cached, ...listed(cacheDetails) },
      ],
      subsets: [
        { of: input, parts: [cached] },
        // Not every kind of answer is listed.
        { of: output, ...listed(outputDetails) },
      ],
      known: [...(names.known ?? [])],
    })
    SHAPES.set(names, shape)
  }
  return shape
}

/** In the order in which a discount on them saves more. */
const KINDS = ['text', 'image', 'video', 'audio'] as const
type Kind = (typeof KINDS)[number]
type ByKind = Record<Kind, number>

/** Written out: with keys put together for each answer, reading it took 1.6 us and not 1.0. */
const BUCKETS_OF = {
  text: ['input.text', 'input.text.cache_read'],
  image: ['input.image', 'input.image.cache_read'],
  video: ['input.video', 'input.video.cache_read'],
  audio: ['input.audio', 'input.audio.cache_read'],
} as const satisfies Record<Kind, readonly Bucket[]>

const KIND_OF = new Map<unknown, Kind>([
  ['IMAGE', 'image'],
  ['AUDIO', 'audio'],
  ['VIDEO', 'video'],
  // Interactions write them small.
  ['image', 'image'],
  ['audio', 'audio'],
  ['video', 'video'],
  // `TEXT`, `DOCUMENT` and what is not specified are counted, and priced, as text (genai.d.ts, MediaModality).
])

/**
 * `promptTokenCount` includes cached tokens; `candidatesTokenCount` excludes thoughts, and the prompt of tools stands
 * apart: total = prompt + candidates + tool-use prompt + thoughts (genai.d.ts, doc comment of totalTokenCount). A count
 * of zero is left out, so only the prompt must be there.
 */
export function readUsageMetadata(
  usage: unknown,
  fees: Quantities = {},
  names: Names = CONTENT,
): UsageReading & Pick<Reading, 'serviceTier'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const prompt = count.need(usage, names.input)
  const cached = count.check(usage, names.cached)
  const candidates = count.of(usage, names.output)
  const thoughts = count.of(usage, names.thoughts)
  const toolUse = count.of(usage, names.toolUse)
  const hidden = hiddenTokens(count, usage, names, prompt + candidates + toolUse + thoughts)
  const answered = byKind(count, usage, names.outputDetails, names) ?? none()
  const rest = candidates - sum(answered)
  const asked = splitPrompt(count, usage, prompt + hidden.input, cached, names)
  checkUsage(count, usage, shapeOf(names))
  const reading = count.reading(
    {
      ...asked,
      'input.text.tool_use': toolUse,
      'output.text': answered.text + Math.max(0, rest) + hidden.output,
      'output.image': answered.image,
      'output.audio': answered.audio,
      'output.video': answered.video,
      'output.reasoning': thoughts,
      ...fees,
    },
    usage,
    [names.input, names.output, names.total, names.cached, names.thoughts, names.toolUse],
  )
  const serviceTier = codeOf(usage['trafficType']) ?? codeOf(usage['serviceTier'])
  return serviceTier === undefined ? reading : { ...reading, serviceTier }
}

function splitPrompt(count: Counts, usage: Json, prompt: number, cached: number, names: Names): Quantities {
  const listed = byKind(count, usage, names.inputDetails, names)
  const listedReads = byKind(count, usage, names.cacheDetails, names)
  const asked = listed ?? { ...(listedReads ?? none()) }
  const rest = prompt - sum(asked)
  // What no list covers is text, unless there is a list that should and it has something dearer.
  if (rest > 0) asked[listed && asked.audio > 0 ? 'audio' : 'text'] += rest
  if (cached > prompt) {
    // Nobody knows which number is wrong: no discount is believed, and what is beyond the prompt is billed on top.
    return { ...quantitiesOf(asked, none()), 'input.text.cache_read': cached - prompt }
  }
  const reads = none()
  let left = cached
  for (const kind of KINDS) {
    const most = listedReads ? Math.min(listedReads[kind], asked[kind]) : asked[kind]
    if (listedReads && listedReads[kind] > asked[kind]) count.flag('subset', names.cacheDetails)
    reads[kind] = Math.min(most, left)
    left -= reads[kind]
  }
  return quantitiesOf(asked, reads)
}

function quantitiesOf(asked: ByKind, reads: ByKind): Quantities {
  const quantities: Quantities = {}
  for (const kind of KINDS) {
    const [plain, cached] = BUCKETS_OF[kind]
    quantities[plain] = asked[kind] - reads[kind]
    quantities[cached] = reads[kind]
  }
  return quantities
}

/** A list of counts by modality, added up; `undefined` where there is none. */
function byKind(count: Counts, usage: Json, field: string, { tokens }: Names): ByKind | undefined {
  const list = usage[field]
  if (!Array.isArray(list) || list.length === 0) return undefined
  const found = none()
  for (const entry of list as unknown[]) {
    if (isObject(entry)) found[KIND_OF.get(entry['modality']) ?? 'text'] += count.of(entry, tokens)
  }
  return found
}

function none(): ByKind {
  return { text: 0, image: 0, video: 0, audio: 0 }
}

function sum({ text, image, video, audio }: ByKind): number {
  return text + image + video + audio
}
