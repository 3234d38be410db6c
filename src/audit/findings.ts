// What of the calls of one model is to be looked at: each kind once, with all calls that show it.

import type { PicoUsd } from '../money.ts'
import { bandOf, middleOf, usualOf } from './input-check.ts'
import { isBeside, type JudgedCall } from './judge.ts'
import type { Figure, Finding, FindingKind, Label, Tolerances } from './labels.ts'
import { expectationsOf, stepDown } from './prefixes.ts'

interface Shown {
  readonly call: JudgedCall
  readonly label: Label
  readonly billed: number
  readonly low: number
  readonly high: number
}

/** `calls` are all of one model. */
export function findingsOf(calls: readonly JudgedCall[], tolerances: Tolerances): Finding[] {
  const swapped = swapIn(calls, tolerances)
  const others = swapped ? calls.filter((call) => !swapped.calls.includes(call)) : calls
  return [
    ...(swapped ? [swapped.finding] : []),
    ...asked(calls),
    ...otherTexts(calls),
    ...outputs(others, tolerances),
    ...inputs(calls, tolerances),
    ...cache(calls, tolerances),
    ...videos(calls, tolerances),
  ]
}

/** Fewer outputs can come out as another encoding counts them by chance. */
const CALLS_OF_A_SWAP = 3
const SHARE_OF_A_SWAP = 0.9

/** Outputs that are not what the model's own encoding makes of them, and nearly all of them what another one makes. */
function swapIn(calls: readonly JudgedCall[], { outputTokens }: Tolerances) {
  const beside = calls.filter(({ otherwise }) => otherwise.length > 0)
  if (beside.length < CALLS_OF_A_SWAP) return undefined
  for (const [encoding] of beside[0]!.otherwise) {
    const alike = beside.filter(({ output, otherwise }) => {
      const tokens = otherwise.find(([name]) => name === encoding)?.[1]
      return output?.label === 'EXACT' && tokens !== undefined && Math.abs(output.billed - tokens) <= outputTokens
    })
    if (alike.length < CALLS_OF_A_SWAP || alike.length < beside.length * SHARE_OF_A_SWAP) continue
    const shown = alike.flatMap((call) => (call.output?.label === 'EXACT' ? [{ call, ...call.output }] : []))
    const what = `The outputs of ${counted(alike.length)} come to what ${encoding} makes of them, and not to what the model counts in: another model may have written them.`
    return { calls: alike, finding: made('other-tokenizer', 'EXACT', shown, what, 'output') }
  }
  return undefined
}

function otherTexts(calls: readonly JudgedCall[]): Finding[] {
  const others = calls.filter(({ isOtherText }) => isOtherText)
  if (others.length === 0) return []
  const what = `The log has another text of ${counted(others.length)} than the process was given, by the hashes that it kept.`
  return [plainFinding('other-text', others, what)]
}

function plainFinding(kind: FindingKind, calls: readonly JudgedCall[], what: string): Finding {
  const { provider, model } = calls[0]!
  const examples = calls.slice(0, EXAMPLES).map(({ id }) => id)
  return { kind, label: 'EXACT', provider, model, what, calls: calls.length, examples }
}

function asked(calls: readonly JudgedCall[]): Finding[] {
  const others = calls.filter(({ askedFor }) => askedFor !== undefined)
  if (others.length === 0) return []
  const names = [...new Set(others.map(({ askedFor }) => askedFor!))].slice(0, 3).join(', ')
  return [plainFinding('other-model', others, `${counted(others.length)} asked for ${names}, and this model answered.`)]
}

function outputs(calls: readonly JudgedCall[], { outputTokens }: Tolerances): Finding[] {
  const shown = calls.flatMap((call): Shown[] => {
    const { output } = call
    if (!output || output.label === 'UNVERIFIABLE') return []
    const tolerance = output.label === 'EXACT' ? outputTokens : 0
    return isBeside(output, tolerance) ? [{ call, ...output }] : []
  })
  return (['EXACT', 'BOUNDED'] as const).flatMap((label) => {
    const own = shown.filter((one) => one.label === label)
    const how =
      label === 'EXACT' ? "as the model's own tokenizer counts them" : 'as any tokenizer in use would count them'
    return aboveAndBelow('output', label, own, how)
  })
}

function inputs(calls: readonly JudgedCall[], { inputPercent }: Tolerances): Finding[] {
  const counted = calls.flatMap((call) => (call.input?.label === 'BOUNDED' ? [{ call, input: call.input }] : []))
  const shown = [true, false].flatMap((isFar) => {
    const alike = counted.filter(({ input }) => input.isFar === isFar)
    const usual = usualOf(
      alike.map(({ input }) => input),
      inputPercent,
    )
    return alike.flatMap(({ call, input }): Shown[] => {
      const band = bandOf(input, usual, inputPercent)
      return isBeside({ billed: input.billed, ...band }, 0)
        ? [{ call, label: 'BOUNDED', billed: input.billed, ...band }]
        : []
    })
  })
  return aboveAndBelow('input', 'BOUNDED', shown, 'with what stands around messages and tools')
}

function aboveAndBelow(
  figure: 'output' | 'input' | 'video',
  label: Label,
  shown: readonly Shown[],
  how: string,
): Finding[] {
  const what = figure === 'video' ? 'file' : 'text'
  const above = shown.filter(({ billed, high }) => billed > high)
  const below = shown.filter(({ billed, high }) => billed <= high)
  return [
    ...(above.length > 0
      ? [made(`${figure}-above`, label, above, `${more(above)} than the ${what} comes to, ${how}.`, figure)]
      : []),
    ...(below.length > 0
      ? [
          made(
            `${figure}-below`,
            label,
            below,
            `${billed(below)} for fewer ${figure} tokens than the ${what} comes to, ${how}.`,
            figure,
          ),
        ]
      : []),
  ]
}

/** A constant number of tokens points to a text that was added, a share to a count that was raised. */
const ALIKE = 0.1

function more(shown: readonly Shown[]): string {
  const beyond = shown.map(({ billed, low, high }) => billed - (low + high) / 2)
  const shares = shown.map(({ low, high }, i) => beyond[i]! / Math.max(1, (low + high) / 2))
  const [usualMore, usualShare] = [middleOf(beyond), middleOf(shares)]
  const spread = (list: readonly number[], middle: number) =>
    middleOf(list.map((one) => Math.abs(one - middle))) / middle
  const calls = billed(shown)
  if (shown.length >= 3 && spread(shares, usualShare) <= Math.min(ALIKE, spread(beyond, usualMore)))
    return `${calls} for some ${Math.round(usualShare * 100)} per cent more`
  if (shown.length >= 3 && spread(beyond, usualMore) <= ALIKE)
    return `${calls} for some ${Math.round(usualMore)} tokens more each, however long they were,`
  return `${calls} for more tokens`
}

function cache(calls: readonly JudgedCall[], { cacheWindowMs, cacheStepPercent }: Tolerances): Finding[] {
  const cached = cachedCalls(calls)
  const step = stepDown(expectationsOf(cached, cacheWindowMs), cacheStepPercent)
  if (!step) return []
  const [first] = calls
  const percent = (share: number) => `${Math.round(share * 100)} per cent`
  return [
    {
      kind: 'cache-step',
      label: 'BOUNDED',
      provider: first!.provider,
      model: first!.model,
      what: `From ${new Date(step.at).toISOString()} on, ${percent(step.after)} of prompts that begin like one shortly before was read from the cache, after ${percent(step.before)}.`,
      calls: step.calls.length,
      examples: step.calls.slice(0, EXAMPLES).map(({ id }) => id),
    },
  ]
}

export function cachedCalls(calls: readonly JudgedCall[]) {
  return calls
    .filter(({ prefixes }) => prefixes.length > 0)
    .map(({ id, at, inputTokens, cachedTokens, prefixes, spend }) => ({
      ...{ id, at, inputTokens, cachedTokens, prefixes },
      spend: spend?.['cache read'] ?? 0n,
    }))
}

function videos(calls: readonly JudgedCall[], { videoTokens }: Tolerances): Finding[] {
  const shown = calls.flatMap((call): Shown[] => {
    const { video } = call
    if (!video || 'why' in video) return []
    const judged = { call, label: 'EXACT' as const, billed: video.billed, low: video.tokens, high: video.tokens }
    return isBeside(judged, videoTokens) ? [judged] : []
  })
  return aboveAndBelow(
    'video',
    'EXACT',
    shown,
    'by the width, the height and the frames of the file that was delivered',
  )
}

const EXAMPLES = 10

function made(
  kind: FindingKind,
  label: Label,
  shown: readonly Shown[],
  what: string,
  figure: Figure,
): Finding & { readonly beyond: PicoUsd } {
  const { provider, model } = shown[0]!.call
  const sum = (name: 'billed' | 'low' | 'high') => shown.reduce((total, one) => total + one[name], 0)
  return {
    kind,
    label,
    provider,
    model,
    what,
    calls: shown.length,
    examples: shown.slice(0, EXAMPLES).map(({ call }) => call.id),
    billed: sum('billed'),
    low: sum('low'),
    high: sum('high'),
    beyond: shown.reduce((total, one) => total + beyondOf(one, figure), 0n),
  }
}

/** The share of what the figure cost that is above what was counted. */
function beyondOf({ call, billed, high }: Shown, figure: Figure): PicoUsd {
  const spend = call.spend?.[figure] ?? 0n
  return billed > high && billed > 0 ? (spend * BigInt(billed - high)) / BigInt(billed) : 0n
}

function billed({ length }: readonly Shown[]): string {
  return `${counted(length)} ${length === 1 ? 'was' : 'were'} billed`
}

function counted(calls: number): string {
  return `${calls.toLocaleString('en-US')} ${calls === 1 ? 'call' : 'calls'}`
}
