// What a cell has too much or too little of by itself: attempts, streams, caches, hidden tokens, counts.

import type { Cause } from './causes.ts'
import { type Amounts, addQuantity } from './cells.ts'
import { covers, type Finding, type Gap, isEmpty, partOf, take } from './gaps.ts'
import type { TokenType } from './statement.ts'

/** Ways to explain a gap, the surest first; each takes what it can and leaves the rest to the next. */
const WAYS: readonly ((gap: Gap) => Finding | undefined)[] = [
  noCallsAtAll,
  cacheShift,
  attempts,
  neverBilled,
  tokenizer,
  unreported,
  notLogged,
  hiddenInput,
  moreOutput,
  cacheShift,
]

export function explain(gaps: Iterable<Gap>): Finding[] {
  const findings: Finding[] = []
  for (const gap of gaps)
    for (const way of WAYS) {
      if (isEmpty(gap)) break
      const finding = way(gap)
      if (finding !== undefined) findings.push(finding)
    }
  return findings
}

function requestsOf(gap: Gap): { requests?: number } {
  return gap.requests === undefined ? {} : { requests: gap.requests }
}

function noCallsAtAll(gap: Gap): Finding | undefined {
  if (gap.logged !== undefined) return undefined
  const [who] = gap.billed?.byScope.size === 1 ? [...gap.billed.byScope.keys()] : []
  return take(gap, 'not-logged', gap.quantities, {
    ...requestsOf(gap),
    ...(who !== undefined && who !== '' && { who }),
  })
}

/** As many requests and as many tokens of input, and only what a cache did with them differs. */
function cacheShift(gap: Gap): Finding | undefined {
  if (gap.requests !== undefined && gap.requests !== 0) return undefined
  const input = new Map([...gap.quantities].filter(([type]) => isCacheable(type)))
  if (input.size < 2) return undefined
  let sum = 0
  for (const quantity of input.values()) sum += quantity
  const touches = [...input.keys()].some((type) => type.includes('.cache_'))
  return sum === 0 && touches ? take(gap, 'cache-accounting', input) : undefined
}

function isCacheable(type: TokenType): boolean {
  return type === 'input.text' || type.startsWith('input.text.cache_')
}

/** Attempts that broke off: billed for what the call used once more, or for what nobody knows. */
function attempts(gap: Gap): Finding | undefined {
  const { count, amounts } = gap.logged!.unsettled
  if (count === 0) return undefined
  const same = quantitiesOf(amounts)
  if (gap.requests !== undefined) {
    if (gap.requests <= 0 || gap.requests > count) return undefined
    if (gap.requests === count && covers(gap.quantities, same))
      return take(gap, 'retries', same, { requests: count, costs: costsOf(amounts) })
    const more = partOf(gap, 1)
    return more.size === 0 ? undefined : take(gap, 'retries', more, { requests: gap.requests })
  }
  return covers(gap.quantities, same) ? take(gap, 'retries', same, { costs: costsOf(amounts) }) : undefined
}

/** Less was billed than logged: calls that failed, and others. */
function neverBilled(gap: Gap): Finding | undefined {
  const isWhole = gap.billed === undefined
  const less = partOf(gap, -1)
  if (less.size === 0) return undefined
  if (isWhole || (gap.requests !== undefined && gap.requests < 0)) return take(gap, 'not-billed', less, requestsOf(gap))
  const { count, amounts } = gap.logged!.failed
  if (gap.requests !== undefined || count === 0) return undefined
  const failed = new Map([...quantitiesOf(amounts)].map(([type, quantity]) => [type, -quantity]))
  const isFailed = less.size === failed.size && [...failed].every(([type, quantity]) => less.get(type) === quantity)
  return isFailed ? take(gap, 'not-billed', less) : undefined
}

/** In thousandths: so far may the rise of the input be from that of the output, in which each call was rounded. */
const ALIKE = 50

/** All the calls were counted by us, and the provider has both figures higher by the same share. */
function tokenizer(gap: Gap): Finding | undefined {
  const { logged } = gap
  if (logged!.estimated === 0 || logged!.estimated !== logged!.requests || gap.requests) return undefined
  const [input, output] = [riseOf(gap, 'input.text'), riseOf(gap, 'output.text')]
  if (input === undefined || output === undefined || input * output <= 0) return undefined
  if (Math.abs(input - output) > ALIKE) return undefined
  const of = new Map([...gap.quantities].filter(([type]) => type === 'input.text' || type === 'output.text'))
  return take(gap, 'tokenizer-change', of, { note: `${(input / 10).toFixed(1)} % of the input` })
}

/** Thousandths of what was logged. */
function riseOf({ logged, quantities }: Gap, type: TokenType): number | undefined {
  const ours = logged!.amounts.get(type)?.quantity ?? 0
  const more = quantities.get(type) ?? 0
  return ours === 0 || more === 0 ? undefined : (more * 1000) / ours
}

/** Calls of which the provider did not say what they used, or not all. */
function unreported(gap: Gap): Finding | undefined {
  const { count } = gap.logged!.unreported
  if (count === 0 || gap.quantities.size === 0) return undefined
  if (gap.requests !== undefined && gap.requests !== 0) return undefined
  return take(gap, 'streams-without-usage', gap.quantities)
}

/** More requests than were logged, and nothing in the ledger to say why. */
function notLogged(gap: Gap): Finding | undefined {
  if (gap.requests === undefined || gap.requests <= 0) return undefined
  const more = partOf(gap, 1)
  return take(gap, 'not-logged', more, { requests: gap.requests })
}

function hiddenInput(gap: Gap): Finding | undefined {
  return only(gap, 'input.text', 'hidden-tokens')
}

function moreOutput(gap: Gap): Finding | undefined {
  return only(gap, 'output.text', 'output-count')
}

/** Of as many requests, more of one kind of token and nothing less of another. */
function only(gap: Gap, type: TokenType, cause: Cause): Finding | undefined {
  if (gap.requests !== undefined && gap.requests !== 0) return undefined
  const more = gap.quantities.get(type) ?? 0
  const others = [...gap.quantities].filter(([other]) => other !== type && sideOf(other) === sideOf(type))
  if (more <= 0 || others.length > 0) return undefined
  const calls = gap.logged!.requests
  const each = calls > 0 && more % calls === 0 ? `${more / calls} a request` : undefined
  // Both at once, with nothing to tell that we counted: it may be calls that are not in the log.
  const other = type === 'input.text' ? 'output.text' : 'input.text'
  if (gap.requests === undefined && gap.quantities.has(other)) return undefined
  return take(gap, cause, new Map([[type, more]]), each === undefined ? {} : { note: each })
}

function sideOf(type: TokenType): string {
  return type.slice(0, type.indexOf('.'))
}

function quantitiesOf(amounts: Amounts): Map<TokenType, number> {
  const quantities = new Map<TokenType, number>()
  for (const [type, { quantity }] of amounts) addQuantity(quantities, type, quantity)
  return quantities
}

function costsOf(amounts: Amounts): Map<TokenType, bigint> {
  return new Map([...amounts].map(([type, { cost }]) => [type, cost]))
}
