// The ledger beside the bill of the emulator, which counts and prices by code of its own: call by call, by the answer's id.

import type { Bill, BillLine } from '../emulator/index.ts'
import { formatCount, formatMoney, usdColumn } from '../figures.ts'
import type { LLMEvent } from '../index.ts'
import { type PicoUsd, parseUsd } from '../money.ts'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './width.ts'

/** What the two say of the same calls. */
interface Sum {
  readonly calls: number
  readonly ledger: PicoUsd
  readonly bill: PicoUsd
}

/** An answer whose end the caller did not wait for: estimated by the one, charged by the other. */
interface Broken {
  readonly event: LLMEvent
  readonly line: BillLine
}

export interface Comparison {
  /** Answers that were read to their end, by provider. */
  readonly whole: ReadonlyMap<string, Sum>
  readonly broken: readonly Broken[]
  /** Whole answers on which the two differ, and calls that only one of them knows. */
  readonly disputed: readonly string[]
}

export function compare(events: readonly LLMEvent[], { lines }: Pick<Bill, 'lines'>): Comparison {
  const unbilled = new Map(events.map((event) => [idOf(event), event]))
  const whole = new Map<string, Sum>()
  const broken: Broken[] = []
  const disputed: string[] = []
  for (const line of lines) {
    const id = idOf(line)
    const event = unbilled.get(id)
    unbilled.delete(id)
    if (event === undefined) disputed.push(id)
    else if (!line.isWhole || event.usageSource !== 'reported') broken.push({ event, line })
    else {
      const [ledger, bill] = [picoOf(event.costUsd), picoOf(line.usd)]
      if (event.costUsd === undefined || line.usd === undefined || ledger !== bill) disputed.push(id)
      whole.set(line.provider, plus(whole.get(line.provider), { calls: 1, ledger, bill }))
    }
  }
  return { whole, broken, disputed: [...disputed, ...unbilled.keys()] }
}

function idOf({ responseId, requestId }: LLMEvent | BillLine): string {
  return responseId ?? requestId ?? 'an answer without an id'
}

function picoOf(usd: string | undefined): PicoUsd {
  return parseUsd(usd ?? '0') ?? 0n
}

const NOTHING: Sum = { calls: 0, ledger: 0n, bill: 0n }

function plus(a: Sum = NOTHING, b: Sum = NOTHING): Sum {
  return { calls: a.calls + b.calls, ledger: a.ledger + b.ledger, bill: a.bill + b.bill }
}

export function printComparison(comparison: Comparison, { print, paint, width }: Terminal): void {
  const { broken, disputed } = comparison
  const brokenOff = broken.map(sumOf).reduce(plus, NOTHING)
  const parts = [...comparison.whole, ...(broken.length > 0 ? [['broken off', brokenOff] as const] : [])]
  const total = parts.map(([, sum]) => sum).reduce(plus, NOTHING)
  const rows = [...parts, ['total', total] as const]
  const usd = usdColumn(rows.flatMap(([, { ledger, bill }]) => [ledger, bill, ledger - bill]))
  const table = layOut(
    [
      { title: 'answers', least: 8 },
      ...['calls', 'our ledger', 'their bill', 'difference'].map((title) => ({ title })),
    ],
    rows.map(([name, { calls, ledger, bill }]) => {
      const difference = ledger === bill ? 'none' : usd(ledger - bill)
      return [name, formatCount(calls), usd(ledger), usd(bill), difference]
    }),
    width,
  )
  print(paint('dim', table.header))
  for (const line of table.lines.slice(0, -1)) print(line)
  print(paint('bold', table.lines.at(-1)!))
  print()
  const isAgreed = disputed.length === 0
  for (const sentence of isAgreed ? agreement(comparison, total) : [`They DIFFER on ${disputed.join(', ')}.`])
    for (const line of wrap(sentence, width)) print(paint(isAgreed ? 'green' : 'red', line))
}

function sumOf({ event, line }: Broken): Sum {
  return { calls: 1, ledger: picoOf(event.costUsd), bill: picoOf(line.usd) }
}

const CENT: PicoUsd = 10_000_000_000n

function agreement({ whole, broken }: Comparison, total: Sum): string[] {
  const answers = [...whole.values()].reduce(plus, NOTHING)
  const difference = total.ledger - total.bill
  const isToTheCent = difference < CENT && -difference < CENT
  return [
    `All ${answers.calls} whole answers agree to the last digit: ${formatMoney(answers.bill)}.`,
    ...broken.map(estimate),
    isToTheCent
      ? "The ledger and the provider's bill agree to the cent."
      : "The ledger and the provider's bill are more than a cent apart.",
  ]
}

function estimate({ event, line }: Broken): string {
  const { outputTokens = 0, usageBounds } = event
  const [low = 0, high = 0] = usageBounds?.outputTokens ?? []
  const estimated = `Of the one that broke off the ledger can only estimate the output: ${outputTokens} tokens, between ${low} and ${high}. The bill says ${line.outputTokens}.`
  // @google/genai 2.32 lets go of a stream that its reader leaves without closing the connection.
  return line.isWhole
    ? `${estimated} Its SDK left the connection open, and the provider went on to the end.`
    : estimated
}
