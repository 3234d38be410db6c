// The audit: every figure of every call under one of three labels, and what is to be looked at.

import type { PicoUsd } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import { cachedCalls, findingsOf } from './findings.ts'
import { middleOf } from './input-check.ts'
import { type JudgedCall, judge, totalOf } from './judge.ts'
import {
  type AuditedCall,
  type AuditedModel,
  type AuditReport,
  FIGURES,
  type Figure,
  type FigureSums,
  type KeptHashes,
  LABELS,
  type Label,
  TOLERANCES,
  type Tolerances,
  type Unverifiable,
} from './labels.ts'
import { expectationsOf } from './prefixes.ts'
import { figuresOf } from './spend.ts'
import { createCounters, type OwnTokenizer } from './tokenizers.ts'

export interface AuditOptions {
  readonly book: Pick<PriceBook, 'version' | 'price' | 'why'>
  /** Tokenizers of models whose own nobody has published with us. */
  readonly tokenizers?: readonly OwnTokenizer[] | undefined
  readonly tolerances?: Partial<Tolerances> | undefined
  readonly hashes?: KeptHashes | undefined
}

export interface Audit {
  /** Counts what was said in a call; of its text nothing is kept. */
  add(call: AuditedCall): Promise<void>
  report(): AuditReport
}

export function createAudit({ book, tokenizers = [], tolerances: given, hashes }: AuditOptions): Audit {
  const tolerances = { ...TOLERANCES, ...given }
  const counters = createCounters(tokenizers, tolerances.bandPercent)
  // Of this audit alone: its hashes are in no report.
  const salt = process.getBuiltinModule('node:crypto').randomBytes(16).toString('hex')
  const models = new Map<string, JudgedCall[]>()

  return {
    async add(call) {
      const judged = await judge(call, { book, counters, tolerances, hashes, salt })
      const key = `${judged.provider}\n${judged.model}`
      const others = models.get(key)
      if (others) others.push(judged)
      else models.set(key, [judged])
    },
    report: () => reportOf([...models.values()], tolerances),
  }
}

function reportOf(models: readonly (readonly JudgedCall[])[], tolerances: Tolerances): AuditReport {
  const calls = models.flat()
  const figures = new Map<string, { -readonly [K in keyof FigureSums]: FigureSums[K] }>()
  const unverifiable = new Map<string, { -readonly [K in keyof Unverifiable]: Unverifiable[K] }>()
  const byLabel: Record<Label, PicoUsd> = { EXACT: 0n, BOUNDED: 0n, UNVERIFIABLE: 0n }
  for (const call of calls)
    for (const figure of figuresOf(call.spend ?? {})) {
      const spend = call.spend![figure]!
      const { label, why } = verdictOf(call, figure)
      byLabel[label] += spend
      add(figures, `${figure}\n${label}`, { figure, label, calls: 0, spend: 0n }, spend)
      if (why !== undefined) add(unverifiable, `${figure}\n${why}`, { figure, why, calls: 0, spend: 0n }, spend)
    }
  const dearest = <T extends { readonly spend: PicoUsd }>(list: Iterable<T>) =>
    [...list].sort((a, b) => (a.spend === b.spend ? 0 : a.spend < b.spend ? 1 : -1))
  return {
    calls: calls.length,
    unpriced: calls.filter(({ spend }) => spend === undefined).length,
    spend: LABELS.reduce((sum, label) => sum + byLabel[label], 0n),
    byLabel,
    figures: [...figures.values()].sort(
      (a, b) =>
        FIGURES.indexOf(a.figure) - FIGURES.indexOf(b.figure) || LABELS.indexOf(a.label) - LABELS.indexOf(b.label),
    ),
    findings: models
      .flatMap((own) => findingsOf(own, tolerances))
      .sort((a, b) => Number((b.beyond ?? 0n) - (a.beyond ?? 0n)) || b.calls - a.calls),
    unverifiable: dearest(unverifiable.values()),
    models: dearest(models.map((own) => modelOf(own, tolerances))),
    tolerances,
  }
}

function add<T extends { calls: number; spend: PicoUsd }>(sums: Map<string, T>, key: string, first: T, spend: PicoUsd) {
  const sum = sums.get(key) ?? first
  sum.calls++
  sum.spend += spend
  sums.set(key, sum)
}

const CACHE = 'What a provider reads from its cache, and keeps in it, it alone can see: recorded, and never asserted.'
const REASONING = 'What a model thought before it answered is not shown: recorded, and never asserted.'
const OTHER = 'It is counted by the provider alone.'

function verdictOf(
  { output, input, video }: JudgedCall,
  figure: Figure,
): { readonly label: Label; readonly why?: string } {
  switch (figure) {
    case 'output':
      return output ?? { label: 'UNVERIFIABLE', why: OTHER }
    case 'input':
      return input ?? { label: 'UNVERIFIABLE', why: OTHER }
    case 'reasoning':
      return { label: 'UNVERIFIABLE', why: REASONING }
    case 'cache read':
    case 'cache write':
      return { label: 'UNVERIFIABLE', why: CACHE }
    case 'video':
      return video && !('why' in video) ? { label: 'EXACT' } : { label: 'UNVERIFIABLE', why: video?.why ?? OTHER }
    case 'other':
      return { label: 'UNVERIFIABLE', why: OTHER }
  }
}

function modelOf(calls: readonly JudgedCall[], { cacheWindowMs }: Tolerances): AuditedModel {
  const { provider, model } = calls[0]!
  const outputs = calls.flatMap(({ output }) => (output && output.label !== 'UNVERIFIABLE' ? [output] : []))
  const inputs = calls.flatMap(({ input }) => (input?.label === 'BOUNDED' ? [input] : []))
  const expected = expectationsOf(cachedCalls(calls), cacheWindowMs)
  return {
    provider,
    model,
    calls: calls.length,
    spend: calls.reduce((sum, { spend }) => sum + totalOf(spend), 0n),
    ...(outputs[0] && { tokenizer: outputs[0].fingerprint }),
    isOwnTokenizer: outputs[0]?.isOwn ?? false,
    ...(inputs.length > 0 && {
      inputPercent: Math.round(middleOf(inputs.map(({ billed, tokens }) => (100 * billed) / tokens))),
    }),
    cacheExpected: expected.reduce((sum, one) => sum + one.expected, 0),
    cacheRead: expected.reduce((sum, { call }) => sum + call.cachedTokens, 0),
  }
}
