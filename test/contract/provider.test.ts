// The conformance suite of providers: each against every recorded answer in `test/fixtures/<provider>`, which it finds by itself.
//
// A fixture says where its shape comes from and what must be read of it. In a `.json` it stands beside the `answer`; in
// an `.sse` it is the comment before the first event.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sourceOf } from '../../src/call/outcome.ts'
import { formatUsd } from '../../src/money.ts'
import { sseSplitter } from '../../src/patch/sse.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { createRouting, DIALECTS, PROVIDERS } from '../../src/providers/index.ts'
import { type Asked, HIDE, type JobResult, type Json, type Reading, type Route } from '../../src/providers/provider.ts'
import { topLevelFields } from '../../src/providers/top-level.ts'
import { type TokenTotals, tokenTotals, type UsageSource } from '../../src/usage.ts'

interface Fixture {
  readonly origin: string
  readonly date: string
  readonly host: string
  readonly path: string
  /** Default `post`. */
  readonly method?: string
  /** The body of the request, where the reading needs it. */
  readonly request?: Json
  /** Of a `.json`. An answer that is no JSON has none: only its request tells what it costs. */
  readonly answer?: Json
  /** One line of an answer that has an object a line. */
  readonly line?: Json
  readonly expected: Reading
  /** Of a `line`: the rest of what is read of it. */
  readonly result?: Omit<JobResult, 'reading'>
  /** Where these are not the fixtures' folder and its usual endpoint. */
  readonly provider?: string
  readonly endpoint?: string
  /** The exact price, where a published one is known; `null` where it is known that there is none. */
  readonly costUsd?: string | null
  /** The inclusive numbers, where a host counts them in another way than the wire's maker. */
  readonly totals?: Partial<TokenTotals>
  // Of a stream:
  /** How well the usage is known when the stream breaks off after so many events, first to last. */
  readonly sources?: Partial<Record<UsageSource, readonly [first: number, last: number]>>
  /** The events that a caller who did not ask for usage does not see. */
  readonly hidden?: readonly number[]
  /** What of an event it shows them has no usage. */
  readonly hidesUsage?: boolean
  /** What the model has said in it. */
  readonly generated?: string
}

const AT = Date.parse('2026-11-18T12:00:00Z')
const ENDPOINTS: Readonly<Record<string, string>> = {
  openai: 'chat.completions',
  anthropic: 'messages',
  google: 'generateContent',
}
const folder = join(import.meta.dirname, '../fixtures')
const find = createRouting()

function load(provider: string, file: string): { readonly fixture: Fixture; readonly events: readonly Json[] } {
  const text = readFileSync(join(folder, provider, file), 'utf8')
  if (file.endsWith('.json')) return { fixture: JSON.parse(text) as Fixture, events: [] }
  const splitter = sseSplitter()
  const raw = splitter.push(new TextEncoder().encode(text))
  const comment = raw[0]!.raw.split(/\r?\n/).map((line) => line.replace(/^: ?/, ''))
  const events = raw.flatMap(({ data }) => (data === undefined || data === '[DONE]' ? [] : [JSON.parse(data) as Json]))
  return { fixture: JSON.parse(comment.join('\n')) as Fixture, events }
}

function routeOf(
  { wire }: (typeof PROVIDERS)[number],
  { host, path, method = 'post' }: Fixture,
): { name: string; route: Route } {
  const found = find(wire === 'own' ? 'any' : wire, method, host, path)
  return { name: found!.provider, route: found!.route }
}

function askedOf(route: Route, { path, request = {} }: Fixture): Asked {
  return { facts: route.request(request, path, false), path, body: () => request }
}

/** A count somewhere inside of a usage object: 0 where it is not. */
function at(usage: unknown, ...path: readonly string[]): number {
  const value = path.reduce<unknown>((object, name) => (object as Json | undefined)?.[name], usage)
  return typeof value === 'number' ? value : 0
}

/** The provider's own inclusive numbers, as a reader of its documentation adds them up. */
const INCLUSIVE: Readonly<Record<string, (usage: Json) => Partial<TokenTotals>>> = {
  openai: (usage) => {
    const [asked, written] = ['prompt', 'completion'].map((side) => `${side}_tokens_details`) as [string, string]
    return {
      inputTokens: at(usage, 'prompt_tokens') + at(usage, 'input_tokens'),
      outputTokens: at(usage, 'completion_tokens') + at(usage, 'output_tokens'),
      totalTokens: at(usage, 'total_tokens'),
      cachedTokens: at(usage, asked, 'cached_tokens') + at(usage, 'input_tokens_details', 'cached_tokens'),
      cacheCreationTokens:
        at(usage, asked, 'cache_write_tokens') + at(usage, 'input_tokens_details', 'cache_write_tokens'),
      reasoningTokens: at(usage, written, 'reasoning_tokens') + at(usage, 'output_tokens_details', 'reasoning_tokens'),
      audioInputTokens: at(usage, asked, 'audio_tokens'),
      audioOutputTokens: at(usage, written, 'audio_tokens'),
    }
  },
  anthropic: (usage) => {
    const iterations = (usage['iterations'] ?? []) as Json[]
    const rounds = [usage, ...iterations.filter(({ type }) => type === 'compaction')]
    const sum = (field: string) => rounds.reduce((total, round) => total + at(round, field), 0)
    const cachedTokens = sum('cache_read_input_tokens')
    const cacheCreationTokens = sum('cache_creation_input_tokens')
    const inputTokens = sum('input_tokens') + cachedTokens + cacheCreationTokens
    const outputTokens = sum('output_tokens')
    const reasoningTokens = at(usage, 'output_tokens_details', 'thinking_tokens')
    const totalTokens = inputTokens + outputTokens
    return { inputTokens, outputTokens, totalTokens, cachedTokens, cacheCreationTokens, reasoningTokens }
  },
  google: (usage) => {
    const inputTokens = at(usage, 'promptTokenCount') + at(usage, 'toolUsePromptTokenCount')
    const reasoningTokens = at(usage, 'thoughtsTokenCount')
    const outputTokens = at(usage, 'candidatesTokenCount') + reasoningTokens
    const kinds = (usage['promptTokensDetails'] ?? usage['cacheTokensDetails'] ?? []) as Json[]
    return {
      inputTokens,
      outputTokens,
      totalTokens: at(usage, 'totalTokenCount') || inputTokens + outputTokens,
      cachedTokens: at(usage, 'cachedContentTokenCount'),
      reasoningTokens,
      audioInputTokens: kinds
        .filter(({ modality }) => modality === 'AUDIO')
        .reduce((sum, kind) => sum + at(kind, 'tokenCount'), 0),
    }
  },
}

/** Where a usage object stands in an answer or an event. */
const PLACES = [
  ['usage'],
  ['usageMetadata'],
  ['message', 'usage'],
  ['response', 'usage'],
  ['x_groq', 'usage'],
  ['usage', 'billed_units'],
  ['meta', 'billed_units'],
]

/** The last usage that a stream carries, merged as its provider says, and that of a JSON answer. */
function rawUsage(provider: string, answer: Json | undefined, events: readonly Json[]): Json {
  let usage: Json = {}
  for (const event of answer ? [answer] : events) {
    for (const place of PLACES) {
      const own = place.reduce<unknown>((object, name) => (object as Json | null | undefined)?.[name], event)
      if (typeof own !== 'object' || own === null) continue
      const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null))
      usage = provider === 'anthropic' ? { ...usage, ...said } : said
    }
  }
  // Vertex AI counts characters beside its predictions.
  return Object.keys(usage).length > 0 ? usage : ((answer?.['metadata'] ?? {}) as Json)
}

/** Every object in an answer, however deep. */
function objectsIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  return [value, ...Object.values(value).flatMap(objectsIn)]
}

/** What was read, without the fields that hold nothing. */
function plain(reading: Reading | JobResult): object {
  return JSON.parse(JSON.stringify(reading)) as object
}

/** The host of a dialect has a folder of its own, apart from those of whoever has made a wire. */
function folderOf({ name, wire }: (typeof PROVIDERS)[number]): string {
  return wire === 'openai' && !PROVIDERS.some((maker) => maker.name === name) ? name : `${name}-${wire}`
}

const SUITES = [
  ...PROVIDERS.map((provider) => [provider.name, provider] as const),
  ...DIALECTS.map((dialect) => [folderOf(dialect), dialect] as const).filter(([name]) =>
    existsSync(join(folder, name)),
  ),
]

test('each host of the table has recorded answers, whole and streamed', () => {
  for (const name of new Set(DIALECTS.filter(({ wire }) => wire === 'openai').map(folderOf))) {
    const files = existsSync(join(folder, name)) ? readdirSync(join(folder, name)) : []
    expect([name, files.some((file) => file.endsWith('.json')), files.some((file) => file.endsWith('.sse'))]).toEqual([
      name,
      true,
      true,
    ])
  }
})

describe.each(SUITES)('%s', (name, provider) => {
  const isMaker = PROVIDERS.includes(provider)
  const files = existsSync(join(folder, name)) ? readdirSync(join(folder, name)) : []

  test.runIf(isMaker)('has recorded answers of every endpoint, whole and, where it streams, streamed', () => {
    const recorded = files.map((file) => {
      const { fixture } = load(name, file)
      return `${routeOf(provider, fixture).route.endpoint} ${file.endsWith('.sse') ? 'streamed' : 'whole'}`
    })
    for (const { endpoint, readStream, method } of provider.routes) {
      if (method !== 'socket') expect(recorded).toContain(`${endpoint} whole`)
      if (readStream) expect(recorded).toContain(`${endpoint} streamed`)
    }
  })

  describe.each(files)('%s', (file) => {
    const { fixture, events } = load(name, file)
    const { route, name: found } = routeOf(provider, fixture)

    test('names its origin and its date, and is found under its provider and endpoint', () => {
      expect(fixture.origin).toMatch(/\S{4}/)
      expect(fixture.date).toMatch(/^2\d{3}-\d\d-\d\d$/)
      expect(found).toBe(fixture.provider ?? provider.name)
      expect(route.endpoint).toBe(fixture.endpoint ?? ENDPOINTS[provider.wire])
    })

    const asked = askedOf(route, fixture)

    if (fixture.line) {
      test('is read as expected, as a line', () => {
        expect(plain(route.readLine!(fixture.line!, asked)!)).toEqual({ ...fixture.result, reading: fixture.expected })
      })
    } else if (file.endsWith('.json') && !fixture.answer) {
      test('is read as expected, from its request', () => {
        expect(plain(route.readUnseen!(asked))).toEqual(fixture.expected)
      })
    } else if (file.endsWith('.json')) {
      test('is read as expected, from the parsed answer', () => {
        expect(plain(route.read(fixture.answer!, asked))).toEqual(fixture.expected)
      })

      test.each([0, 2, '\t'])(
        'is read as expected from its text, indented by %j, with only what is needed parsed',
        (by) => {
          const fields = topLevelFields(JSON.stringify(fixture.answer, null, by), route.fields, route.textFields)
          expect(plain(route.read(fields!, asked))).toEqual(fixture.expected)
        },
      )
    } else {
      const streamed = (isPrepared: boolean, count = events.length) => {
        const reader = route.readStream!(isPrepared, asked)
        const seen = events.slice(0, count).map((event) => reader.take(event))
        return { reader, seen, reading: reader.reading() }
      }

      test.each([true, false])('is read as expected, asked for by us: %s', (isPrepared) => {
        const { reader, reading } = streamed(isPrepared)
        expect(plain(reading)).toEqual(fixture.expected)
        expect(reader.generated().join('')).toBe(fixture.generated)
      })

      test('shows a caller who asked every event, and one who did not ask none of what we asked for', () => {
        expect(streamed(false).seen).toEqual(events)
        const expected = events
          .map(({ usage, ...rest }) =>
            usage === null || usage === undefined || fixture.hidesUsage ? rest : { ...rest, usage },
          )
          .map((event, i) => (fixture.hidden?.includes(i) ? HIDE : event))
        const isAskedFor = route.prepare !== undefined
        expect(streamed(true).seen).toEqual(isAskedFor ? expected : events)
      })

      test('broken off after each event, it is billed for what was said by then', () => {
        const sources = Array.from({ length: events.length + 1 }, (_, count) => {
          const { reading } = streamed(true, count)
          const seen = { reading, isAnswered: true, isMalformed: false, hasContent: count > 0 }
          return sourceOf({ how: 'failed', ...seen, isTextless: route.isTextless })
        })
        const expected = Object.entries(fixture.sources!).flatMap(([source, [first, last]]) =>
          Array.from({ length: last - first + 1 }, () => source),
        )
        expect(sources).toEqual(expected)
      })

      test('broken off after any event, it never has more than at its end', () => {
        const end = tokenTotals(streamed(true).reading.usage ?? {})
        for (let count = 0; count <= events.length; count++) {
          const { reading } = streamed(true, count)
          expect(reading.flags).toEqual(count === events.length ? fixture.expected.flags : undefined)
          for (const [field, tokens] of Object.entries(tokenTotals(reading.usage ?? {})))
            expect(tokens, `${field} after ${count}`).toBeLessThanOrEqual(end[field as keyof TokenTotals])
        }
      })
    }

    const { usage, flags, isPartial } = fixture.expected
    if (usage && !flags && !isPartial) {
      test("gives the provider's own inclusive numbers back", () => {
        const own = fixture.totals ?? INCLUSIVE[provider.wire]!(rawUsage(provider.wire, fixture.answer, events))
        expect(tokenTotals(usage)).toEqual({ ...tokenTotals({}), ...own })
      })
    }

    if (flags && usage) {
      test('shows the totals that contradict each other as they came', () => {
        expect(fixture.expected.reported).toBeDefined()
        const came = [fixture.answer, ...events].flatMap(objectsIn)
        expect(came).toContainEqual(expect.objectContaining(fixture.expected.reported!))
      })
    }

    if (fixture.costUsd !== undefined) {
      test('costs what is published', async () => {
        const book = await loadPriceBook()
        const { model, serviceTier } = fixture.expected
        const asked = route.request({}, fixture.path, false).model
        const cost = book.price(usage!, { provider: found, model: model ?? asked, serviceTier, at: AT })
        expect(cost === undefined ? null : formatUsd(cost.pico)).toBe(fixture.costUsd)
      })
    }
  })
})
