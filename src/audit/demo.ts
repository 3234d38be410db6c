// Seeded calls as a log would have them, with faults planted in it: what `audit --demo` is shown on. It counts with js-tiktoken's
// own encoder, and shares no code with the audit.

import type { TiktokenBPE } from 'js-tiktoken/lite'
import { demoVideos } from './demo-videos.ts'

/** One fault, and how many calls have it. */
export interface Planted {
  readonly kind: 'output-above' | 'other-tokenizer' | 'input-above' | 'cache-step' | 'video-above'
  readonly model: string
  readonly calls: number
  readonly words: string
}

export interface DemoLog {
  /** JSON, one call a line, with its text. */
  readonly lines: readonly string[]
  /** The files that were delivered, by the ids of their answers. */
  readonly videos: ReadonlyMap<string, Buffer>
  readonly planted: readonly Planted[]
}

const START = Date.UTC(2026, 10, 20, 8)
const MINUTE = 60_000
/** Of each model; its fault begins behind the middle. */
const CALLS = 36

const WORDS =
  'harbor ledger invoice winter signal cobalt meadow tunnel archive lantern gravel orbit copper window thistle market bridge crater violet anchor timber glacier pepper satellite mirror canyon walnut engine quartz ribbon saddle comet umbrella plaza velvet ceramic dolphin almond fjord bamboo magnet'.split(
    ' ',
  )
const SCRIPTS = [
  '港口的账单在冬天到达',
  'счёт за гавань приходит зимой',
  'ลูกค้าจ่ายเงินในฤดูหนาว',
  '請求書は冬に届きます',
  '\u{1f6a2} ✓ naïve café',
]

/** Every number of it follows from the seed. */
function randomOf(seed: number) {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { between: (low: number, high: number) => low + Math.floor(next() * (high - low + 1)) }
}

type Random = ReturnType<typeof randomOf>

function prose({ between }: Random, words: number): string {
  const text: string[] = []
  for (let i = 0; i < words; i++) {
    const word = WORDS[between(0, WORDS.length - 1)]!
    text.push(between(0, 9) === 0 ? `${word}${between(0, 1) ? '.' : ','}` : word)
  }
  return text.join(' ')
}

/** Some of it in other scripts, where encodings differ most. */
function mixed(random: Random, words: number): string {
  const parts = Array.from({ length: Math.ceil(words / 12) }, () =>
    random.between(0, 3) === 0 ? SCRIPTS[random.between(0, SCRIPTS.length - 1)]! : prose(random, 12),
  )
  return parts.join(' ')
}

interface Said {
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly output: string
}

function say(random: Random, system: string): Said {
  const messages = [
    { role: 'system', content: system },
    { role: 'user', content: mixed(random, random.between(40, 120)) },
  ]
  return { messages, output: mixed(random, random.between(40, 150)) }
}

export async function demoLog(seed: number): Promise<DemoLog> {
  const random = randomOf(seed)
  const [o200k, cl100k] = await Promise.all([
    (encoders.o200k ??= encoderOf(import('js-tiktoken/ranks/o200k_base'))),
    (encoders.cl100k ??= encoderOf(import('js-tiktoken/ranks/cl100k_base'))),
  ])
  const lines: string[] = []
  let at = START
  const writeCall = (provider: string, model: string, endpoint: string, fields: object): string => {
    at += random.between(5_000, MINUTE)
    const id = `demo-${seed}-${lines.length}`
    const call = {
      ...{ event_id: id, response_id: id, timestamp: new Date(at).toISOString() },
      ...{ tenant_id: ['fjord-travel', 'harbor-books', 'lumen-health'][lines.length % 3], provider, model, endpoint },
      ...fields,
    }
    lines.push(JSON.stringify(call))
    return id
  }
  const write = (provider: string, model: string, { messages, output }: Said, tokens: Record<string, number>): void => {
    const endpoint = provider === 'anthropic' ? 'messages' : 'chat.completions'
    writeCall(provider, model, endpoint, { ...tokens, input: messages, output })
  }
  /** OpenAI's own page: four tokens around each message, and three before the reply. */
  const chatInput = (count: (text: string) => number, { messages }: Said) =>
    messages.reduce((sum, { content }) => sum + count(content) + 4, 3)

  const faults: Planted[] = []
  const short = prose(random, random.between(20, 40))
  const [inflateFrom, swapFrom, hideFrom, missFrom] = [0, 0, 0, 0].map(() => random.between(20, 26))
  const percent = random.between(25, 60)
  for (let i = 0; i < CALLS; i++) {
    const said = say(random, short)
    const output = o200k(said.output)
    const billed = i < inflateFrom! ? output : Math.round((output * (100 + percent)) / 100)
    write('openai', 'gpt-4o-mini', said, { input_tokens: chatInput(o200k, said), output_tokens: billed })
  }
  faults.push({
    kind: 'output-above',
    model: 'gpt-4o-mini',
    calls: CALLS - inflateFrom!,
    words: `outputs raised by ${percent} per cent`,
  })

  let swapped = 0
  for (let i = 0; i < CALLS; i++) {
    const said = say(random, short)
    const isSwapped = i >= swapFrom!
    const count = isSwapped ? cl100k : o200k
    if (isSwapped && Math.abs(cl100k(said.output) - o200k(said.output)) > 1) swapped++
    // What it bills for the input is still by the model that was asked for.
    write('openai', 'gpt-4.1', said, { input_tokens: chatInput(o200k, said), output_tokens: count(said.output) })
  }
  faults.push({
    kind: 'other-tokenizer',
    model: 'gpt-4.1',
    calls: swapped,
    words: 'answers of an older model under the name of a newer',
  })

  const hidden = random.between(420, 900)
  for (let i = 0; i < CALLS; i++) {
    const said = say(random, short)
    // A tokenizer that nobody has published: some tokens more than OpenAI's, not the same share of every text.
    const share = 110 + random.between(-3, 3)
    const [input, output] = [said.messages.map(({ content }) => content).join('\n'), said.output].map((text) =>
      Math.round((o200k(text) * share) / 100),
    )
    const added = i < hideFrom! ? 0 : hidden
    write('anthropic', 'claude-sonnet-4-5', said, { input_tokens: input! + 14 + added, output_tokens: output! })
  }
  faults.push({
    kind: 'input-above',
    model: 'claude-sonnet-4-5',
    calls: CALLS - hideFrom!,
    words: `${hidden} tokens of system text that nobody sent`,
  })

  const long = prose(random, 1200)
  for (let i = 0; i < CALLS; i++) {
    const said = say(random, long)
    const input = chatInput(o200k, said)
    const isRead = i > 0 && i < missFrom!
    const cached = isRead ? Math.floor((o200k(long) + 4) / 128) * 128 : 0
    write('openai', 'gpt-4o', said, { input_tokens: input, output_tokens: o200k(said.output), cached_tokens: cached })
  }
  faults.push({
    kind: 'cache-step',
    model: 'gpt-4o',
    calls: CALLS - missFrom!,
    words: 'prompts that begin alike, read from the cache no more',
  })

  const videos = new Map<string, Buffer>()
  const made = demoVideos(random)
  for (const { mp4, tokens } of made.videos) {
    const usage = { 'output.video': tokens }
    videos.set(writeCall('pretended', 'video-1', 'videos', { usage, cost_usd: dollars(tokens) }), mp4)
  }
  faults.push({
    kind: 'video-above',
    model: 'video-1',
    calls: made.wrong,
    words: 'videos of 1280 x 720 that are billed as 1920 x 1088',
  })
  return { lines, videos, planted: faults }
}

/** At ten cents a million, so that the videos are not nearly all of the money. */
function dollars(tokens: number): string {
  const digits = String(tokens).padStart(8, '0')
  return `${digits.slice(0, -7)}.${digits.slice(-7)}`
}

/** Each takes half a second to make. */
const encoders: { o200k?: Promise<(text: string) => number>; cl100k?: Promise<(text: string) => number> } = {}

async function encoderOf(table: Promise<{ readonly default: TiktokenBPE }>): Promise<(text: string) => number> {
  const { Tiktoken } = await import('js-tiktoken/lite')
  const encoder = new Tiktoken((await table).default)
  const known = new Map<string, number>()
  return (text) => {
    let tokens = known.get(text)
    if (tokens === undefined) known.set(text, (tokens = encoder.encode(text, [], []).length))
    return tokens
  }
}
