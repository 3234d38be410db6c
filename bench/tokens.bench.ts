// Counting tokens: what the tables cost to read, and how long texts of every kind take, beside js-tiktoken's own encoder.

import { Tiktoken } from 'js-tiktoken/lite'
import o200k from 'js-tiktoken/ranks/o200k_base'
import { countTokens } from '../src/providers/count-tokens.ts'
import { TEXT } from './answers.ts'
import { isQuick, report } from './report.ts'

const LENGTH = 100_000

const repeated = (text: string): string => text.repeat(Math.ceil(LENGTH / text.length)).slice(0, LENGTH)
let seed = 7
const next = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below
const made = (from: number, count: number): string =>
  Array.from({ length: LENGTH }, () => String.fromCharCode(from + next(count))).join('')

const texts: readonly (readonly [name: string, text: string])[] = [
  ['English', repeated(TEXT)],
  ['code', repeated('export const add = (a: number, b: number): number => {\n  return a + b\n}\n')],
  ['Chinese', repeated('海有多深？没有人见过它的全部海底，已知的都来自声音。')],
  ['random letters', made(97, 26)],
  ['random Chinese, no marks', made(0x4e00, 8000)],
  ['one letter', 'a'.repeat(LENGTH)],
  ['one Chinese character', '的'.repeat(LENGTH)],
  ['one emoji', '🐋'.repeat(LENGTH / 2)],
  ['spaces', ' '.repeat(LENGTH)],
  ['special tokens', repeated('<|endoftext|>')],
]

/** CPU, not time: other work has its turns in between. */
async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** The longest that nothing else could run. */
async function worstPause(work: () => Promise<unknown>): Promise<number> {
  let worst = 0
  let last = performance.now()
  let isOver = false
  const tick = (): void => {
    const now = performance.now()
    worst = Math.max(worst, now - last)
    last = now
    if (!isOver) setImmediate(tick)
  }
  setImmediate(tick)
  await work()
  isOver = true
  return worst
}

const heap = process.memoryUsage().heapUsed
const loadPause = { ms: 0 }
const load = await cpuOf(async () => {
  loadPause.ms = await worstPause(() => countTokens(['Hi'], 'gpt-4o'))
})
const grown = (process.memoryUsage().heapUsed - heap) / 1e6
let theirs: Tiktoken | undefined
const theirLoad = await cpuOf(() => (theirs = new Tiktoken(o200k)))

const rows: string[][] = []
for (const [name, text] of texts) {
  const count = await countTokens([text], 'gpt-4o')
  const cpu = await cpuOf(() => countTokens([text], 'gpt-4o'))
  const pause = await worstPause(() => countTokens([text], 'gpt-4o'))
  const whole = await cpuOf(() => countTokens([text], 'gpt-4o', { wholeBytes: 1 << 20 }))
  // Its time grows with the square of a run, so it is given 512 characters of them: the rest would take minutes.
  const part = text.slice(0, 512)
  const own = isQuick ? 0 : ((await cpuOf(() => theirs!.encode(part, [], []))) * LENGTH) / part.length
  rows.push([
    name,
    `${count.tokens} (${count.low} to ${count.high})`,
    cpu.toFixed(1),
    pause.toFixed(1),
    whole.toFixed(1),
    isQuick ? '' : own.toFixed(0),
  ])
}

report({
  title: 'Counting the tokens of 100,000 characters, o200k (ms of CPU)',
  columns: ['text', 'tokens', 'sampled', 'longest pause', 'in whole', "js-tiktoken's encoder, by 512"],
  rows,
  notes: [
    `Reading the table: ${load.toFixed(0)} ms of CPU, ${grown.toFixed(0)} MB, at most ${loadPause.ms.toFixed(0)} ms at a stretch; js-tiktoken's own: ${theirLoad.toFixed(0)} ms at a stretch.`,
    'Sampled: 64 KiB of the text in 16 windows. In whole: as for the closer ceiling, up to 1 MiB.',
  ],
})
