// The same period counted three times: by the answers, by the usage API, by the bill.

import { formatUsd, type PicoUsd } from '../money.ts'
import { type Rates, worthOf } from './rates.ts'
import type { Sides, SideTotal } from './result.ts'
import type { Shape } from './shape.ts'
import type { TokenType } from './statement.ts'
import type { Tally } from './tally.ts'

export function sidesOf(tally: Tally, shape: Shape, rates: Rates): Sides {
  const answers = { requests: 0, inputTokens: 0, outputTokens: 0, cost: 0n }
  for (const cell of tally.logged.values()) {
    answers.requests += cell.requests
    answers.cost += cell.other
    for (const [type, { quantity, cost }] of cell.amounts) {
      answers.cost += cost
      addTokens(answers, type, quantity)
    }
  }
  let usage: (Mutable & { cost: PicoUsd; requests: number | undefined }) | undefined
  if (shape.hasUsage) {
    usage = { requests: undefined, inputTokens: 0, outputTokens: 0, cost: 0n }
    for (const cell of tally.billed.values()) {
      if (cell.requests !== undefined) usage.requests = (usage.requests ?? 0) + cell.requests
      for (const [type, quantity] of cell.quantities) {
        addTokens(usage, type, quantity)
        const rate = rates.of(cell, type)
        if (rate !== undefined) usage.cost += worthOf(rate, quantity)
      }
    }
  }
  let bill: SideTotal | undefined
  if (shape.hasCost) {
    const sum = { inputTokens: 0, outputTokens: 0, cost: 0n }
    let told = false
    for (const row of tally.lines.values()) {
      sum.cost += row.cost
      if (row.quantity === undefined || row.type === undefined) continue
      told = true
      addTokens(sum, row.type, row.quantity)
    }
    const { inputTokens, outputTokens, cost } = sum
    bill = told
      ? { requests: undefined, inputTokens, outputTokens, cost }
      : { requests: undefined, inputTokens: undefined, outputTokens: undefined, cost }
  }
  return { answers, usage, bill, disagreements: disagreements(answers, usage, bill) }
}

interface Mutable {
  inputTokens: number
  outputTokens: number
}

function addTokens(sum: Mutable, type: TokenType, quantity: number): void {
  if (type.startsWith('input.')) sum.inputTokens += quantity
  else if (type.startsWith('output.')) sum.outputTokens += quantity
}

const FIGURES = { requests: 'requests', inputTokens: 'input tokens', outputTokens: 'output tokens' } as const

function disagreements(answers: SideTotal, usage: SideTotal | undefined, bill: SideTotal | undefined): string[] {
  const all = Object.entries({ 'the answers': answers, 'the usage API': usage, 'the bill': bill }).filter(
    (side): side is [string, SideTotal] => side[1] !== undefined,
  )
  const sentences: string[] = []
  for (const [i, [name, one]] of all.entries())
    for (const [other, two] of all.slice(i + 1)) {
      for (const [figure, words] of Object.entries(FIGURES)) {
        const [a, b] = [one[figure as keyof typeof FIGURES], two[figure as keyof typeof FIGURES]]
        if (a !== undefined && b !== undefined && a !== b)
          sentences.push(
            `${capital(name)} have ${a} ${words}, ${other} has ${b}.`.replace(
              /^The (usage|bill)(.*?) have/,
              'The $1$2 has',
            ),
          )
      }
      if (one.cost !== undefined && two.cost !== undefined && one.cost !== two.cost)
        sentences.push(
          `${capital(name)} come to $${formatUsd(one.cost)}, ${other} to $${formatUsd(two.cost)}.`.replace(
            /^The (usage API|bill) come/,
            'The $1 comes',
          ),
        )
    }
  return sentences
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
