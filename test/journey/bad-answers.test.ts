// Whatever a provider answers, the caller gets what the unpatched SDK gives, and we get one honest event.

import { type LLMEvent, Meter, type Problem } from 'tallygate'
import { type Emulator, type Reply, startEmulator } from 'tallygate/emulator'
import { memorySink } from 'tallygate/sinks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SDK_COPIES, type SdkCopy, type Target } from '../support/sdk-copies.ts'

const PAGE = '<!doctype html><html><body><h1>Bad gateway</h1></body></html>'
const MEGABYTE = 1024 * 1024

/** What our event has to say. */
interface Said {
  readonly usageSource: LLMEvent['usageSource']
  readonly usageFlags?: readonly string[] | RegExp
  readonly error?: string | RegExp
  /** How many kinds of problem are told of, each once. */
  readonly sentences: number
}

interface Fault {
  readonly reply: Reply | ((provider: SdkCopy['provider']) => Reply)
  readonly whole?: Said
  readonly streamed?: Said
}

const good: Said = { usageSource: 'reported', sentences: 0 }
const malformed: Said = { usageSource: 'absent', usageFlags: ['malformed'], error: 'malformed', sentences: 1 }
const empty: Said = { usageSource: 'absent', usageFlags: /^(empty|malformed)$/, error: /^$|malformed/, sentences: 1 }
const wrong = (flags: RegExp): Said => ({ usageSource: 'partial', usageFlags: flags, sentences: 1 })
const broken: Said = { usageSource: 'partial', error: 'interrupted', sentences: 0 }

const FAULTS: Readonly<Record<string, Fault>> = {
  'nothing wrong': { reply: {}, whole: good, streamed: good },
  'a line of a stream that is no JSON': {
    // Anthropic's SDK passes over events of no name.
    reply: (provider) => ({
      malformedLine: `${provider === 'anthropic' ? 'event: content_block_delta\n' : ''}data: {"oops`,
    }),
    streamed: { usageSource: 'partial', usageFlags: ['malformed'], error: 'interrupted', sentences: 1 },
  },
  'a stream that breaks off': { reply: { cutAfterEvents: 3 }, streamed: broken },
  'an answer that breaks off': {
    reply: { cutBody: true },
    whole: { usageSource: 'estimated', error: 'interrupted', sentences: 0 },
  },
  'half an answer, as if it were whole': { reply: { truncateJson: true }, whole: malformed },
  'text that is called JSON': { reply: { body: 'oops', contentType: 'application/json' }, whole: malformed },
  'a list in place of an object': {
    reply: { body: '[]', contentType: 'application/json' },
    whole: malformed,
  },
  'a page with status 200': { reply: { body: PAGE }, whole: malformed },
  'a page with status 502': {
    reply: { body: PAGE, status: 502 },
    whole: { usageSource: 'absent', error: 'http_502', sentences: 0 },
    streamed: { usageSource: 'absent', error: 'http_502', sentences: 0 },
  },
  'no usage': {
    reply: { omitUsage: true },
    whole: { usageSource: 'estimated', usageFlags: ['missing:usage'], sentences: 1 },
  },
  'usage that is null': {
    reply: { usage: null },
    whole: { usageSource: 'estimated', usageFlags: ['missing:usage'], sentences: 1 },
  },
  'usage that is a word': {
    reply: { usage: 'much' },
    whole: { usageSource: 'estimated', usageFlags: ['missing:usage'], sentences: 1 },
  },
  'usage without a count': { reply: { usage: {} }, whole: wrong(/^missing:/), streamed: wrong(/^missing:/) },
  'a negative count': { reply: everyCount(() => -7), whole: wrong(/^negative:/), streamed: wrong(/^negative:/) },
  'an absurd count': { reply: everyCount(() => 1e18), whole: wrong(/^absurd:/), streamed: wrong(/^absurd:/) },
  'a count in quotes': {
    reply: everyCount(String),
    whole: { usageSource: 'reported', usageFlags: /^not-a-count:/, sentences: 1 },
    streamed: { usageSource: 'reported', usageFlags: /^not-a-count:/, sentences: 1 },
  },
  'a fractional count': {
    reply: everyCount((count) => (count === 0 ? 0 : count + 0.25)),
    whole: { usageSource: 'reported', usageFlags: /^fractional:/, sentences: 1 },
    streamed: { usageSource: 'reported', usageFlags: /^fractional:/, sentences: 1 },
  },
  'an empty body': {
    reply: { body: '', contentType: 'application/json' },
    whole: empty,
  },
  'no content, with status 204': {
    reply: { body: '', status: 204, contentType: 'application/json' },
    whole: empty,
  },
  'a stream of nothing': {
    reply: { body: '', contentType: 'text/event-stream' },
    streamed: empty,
  },
  'a stream that is called JSON': { reply: { contentType: 'application/json' }, streamed: good },
  'JSON that is called text': { reply: { contentType: 'text/plain' }, whole: good },
  'an error inside a stream': {
    reply: { errorAfterEvents: 3, errorMessage: 'Overloaded' },
    streamed: broken,
  },
  'a stream cut into bytes': { reply: { text: '海は深い 🐋.', splitBytes: 3 }, whole: good, streamed: good },
}

/** A usage object whose every count is another one. */
function everyCount(change: (count: number) => unknown): Reply {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'number') return change(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(walk)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, walk(inner)]))
  }
  return { usage: walk }
}

/** A value as a caller can see it: an error by its class and what it says, an SDK's object by its class and its fields. */
function visible(value: unknown): unknown {
  if (value instanceof Error) {
    const { name, message, cause } = value
    return { class: value.constructor.name, name, message, ...own(value), cause: visible(cause) }
  }
  if (typeof value === 'object' && value !== null)
    return { class: value.constructor?.name, json: JSON.stringify(value) }
  return value
}

function own(error: Error): object {
  return JSON.parse(JSON.stringify(error)) as object
}

type Mode = 'whole' | 'streamed'

async function outcome(copy: SdkCopy, mode: Mode, target: Target): Promise<unknown[]> {
  const seen: unknown[] = []
  try {
    if (mode === 'whole') seen.push(visible(await copy.call(target)))
    else await copy.stream(target, (chunk) => seen.push(visible(chunk)))
    seen.push('and no more')
  } catch (error) {
    seen.push(visible(error))
  }
  return seen
}

/** What differs from run to run. */
const CHANCE = /(\\*)"(localPort|remotePort|port|bytes\w+|date)\1":(?:\d+|\1"[^"\\]*\1")/g

/** The same twice, so that a second sentence about the same fault would show. */
const TIMES = 2

async function run(emulator: Emulator, copy: SdkCopy, mode: Mode, reply: Reply): Promise<unknown[]> {
  const { baseURL } = emulator[copy.provider]
  const seen: unknown[] = []
  for (let i = 0; i < TIMES; i++) {
    emulator.reply(reply)
    seen.push(...(await outcome(copy, mode, { baseURL })))
  }
  const text = JSON.stringify(seen).replace(CHANCE, '$1"$2$1":0')
  return JSON.parse(text.replaceAll(new URL(baseURL).port, '0')) as unknown[]
}

const NOON = () => new Date('2026-11-18T12:00:00Z')

/** The unpatched run, the patched one, and what came of it. */
async function compare(copy: SdkCopy, mode: Mode, reply: Reply) {
  const problems: Problem[] = []
  const sink = memorySink()
  const expected = await (async () => {
    await using emulator = await startEmulator({ now: NOON })
    return await run(emulator, copy, mode, reply)
  })()
  await using emulator = await startEmulator({ now: NOON })
  await using meter = new Meter({
    sinks: [sink],
    hosts: emulator.hosts,
    onMissingTenant: 'record',
    onProblem: (problem) => problems.push(problem),
  })
  copy.patch(meter)
  const seen = await run(emulator, copy, mode, reply)
  await meter.flush()
  return { expected, seen, events: [...sink.events], problems, stats: meter.stats() }
}

const unhandled: unknown[] = []
const note = (cause: unknown) => void unhandled.push(cause)
beforeAll(() => void process.on('unhandledRejection', note).on('uncaughtException', note))
afterAll(() => void process.off('unhandledRejection', note).off('uncaughtException', note))

function expectSaid(event: LLMEvent, { usageSource, usageFlags, error }: Said): void {
  expect(event.usageSource).toBe(usageSource)
  const flags = event.usageFlags ?? []
  if (usageFlags instanceof RegExp) for (const flag of flags.slice(0, 1)) expect(flag).toMatch(usageFlags)
  else expect(flags).toEqual(usageFlags ?? [])
  if (usageFlags !== undefined) expect(flags).not.toEqual([])
  if (error instanceof RegExp) expect(event.error ?? '').toMatch(error)
  else expect(event.error).toBe(error)
  if (usageSource === 'absent') expect([event.usage, event.costUsd]).toEqual([undefined, undefined])
  else expect(event.costUsd).toMatch(/^\d+(\.\d+)?$/)
}

describe.each(SDK_COPIES.map((copy) => [copy.name, copy] as const))('%s', (_, copy) => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    const reply = typeof fault.reply === 'function' ? fault.reply(copy.provider) : fault.reply
    for (const mode of ['whole', 'streamed'] as const) {
      const said = fault[mode]
      if (!said) continue
      test(`${name}, ${mode}`, async () => {
        const { expected, seen, events, problems, stats } = await compare(copy, mode, reply)
        expect(seen).toEqual(expected)
        expect(events).toHaveLength(TIMES)
        for (const event of events) expectSaid(event, partlyKnown(copy, said))
        const usage = problems.filter(({ kind }) => kind === 'usage').map(({ message }) => message)
        expect(usage).toHaveLength(said.sentences)
        for (const sentence of usage) expect(sentence).toMatch(/^[a-z][^\n]* [^\n]*\.$/)
        expect(problems.filter(({ kind }) => kind !== 'usage')).toEqual([])
        expect([stats.openCalls, stats.heldUsd]).toEqual([0, '0'])
        expect(unhandled).toEqual([])
      })
    }
  }
})

/** OpenAI has reported nothing when its stream breaks off; the others have. */
function partlyKnown({ provider }: SdkCopy, said: Said): Said {
  const isCutOff = said.error === 'interrupted' && said.usageSource === 'partial'
  return isCutOff && provider === 'openai' ? { ...said, usageSource: 'estimated' } : said
}

describe.each(SDK_COPIES.filter(({ name }) => /6\.49|1\.12|2\.32/.test(name)).map((it) => [it.name, it] as const))(
  '%s, an answer of 100 megabytes',
  (_, copy) => {
    test.each(['whole', 'streamed'] as const)('%s', async (mode) => {
      await using emulator = await startEmulator()
      const sink = memorySink()
      await using meter = new Meter({ sinks: [sink], hosts: emulator.hosts, onMissingTenant: 'record' })
      copy.patch(meter)
      emulator.reply({ text: 'Deep.', padToBytes: 100 * MEGABYTE })
      let text = ''
      const { baseURL } = emulator[copy.provider]
      const take = (chunk: unknown) => void (text += JSON.stringify(chunk, short))
      if (mode === 'whole') take(await copy.call({ baseURL }))
      else await copy.stream({ baseURL }, take)
      expect(text).toContain('Deep')
      await meter.flush()
      expect(sink.events).toMatchObject([{ usageSource: 'reported' }])
      expect(sink.events[0]).not.toHaveProperty('usageFlags')
      expect(JSON.stringify(sink.events).length).toBeLessThan(5000)
    })
  },
)

/** Leaves the padding out. */
function short(_name: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > 1000 ? '' : value
}
