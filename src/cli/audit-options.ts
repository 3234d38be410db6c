// The tolerances of an audit, out of the options of the command line.

import { TOLERANCES, type Tolerances } from '../audit/labels.ts'
import { type Option, Stop } from './command.ts'

export const TOLERANCE_OPTIONS = {
  'output-tolerance': {
    type: 'string',
    value: 'tokens',
    help: "Tokens that an output may be beside its count by the model's own tokenizer. Default: 1.",
  },
  'input-tolerance': {
    type: 'string',
    value: 'per cent',
    help: 'How far an input may be from its count, or from what calls of its model usually are. Default: 10.',
  },
  band: {
    type: 'string',
    value: 'from-to',
    help: 'Per cent of our count that a tokenizer nobody has published can make of a text. Default: 75-135.',
  },
  'cache-step': {
    type: 'string',
    value: 'per cent',
    help: 'How far the share of repeated prompts read from a cache may fall. Default: 50.',
  },
  'cache-window': {
    type: 'string',
    value: 'seconds',
    help: 'How long a prompt is taken to stay in a cache. Default: 300.',
  },
  'video-tolerance': {
    type: 'string',
    value: 'tokens',
    help: 'Tokens that a video may be beside what its file comes to. Default: 1.',
  },
} as const satisfies Record<string, Option>

type Given = { readonly [Name in keyof typeof TOLERANCE_OPTIONS]?: string }

export function tolerancesOf(given: Given): Tolerances {
  return {
    outputTokens: whole(given, 'output-tolerance', 1_000_000) ?? TOLERANCES.outputTokens,
    inputPercent: whole(given, 'input-tolerance', 1000) ?? TOLERANCES.inputPercent,
    bandPercent: bandOf(given.band) ?? TOLERANCES.bandPercent,
    cacheStepPercent: whole(given, 'cache-step', 100) ?? TOLERANCES.cacheStepPercent,
    cacheWindowMs: (whole(given, 'cache-window', 31_536_000) ?? TOLERANCES.cacheWindowMs / 1000) * 1000,
    videoTokens: whole(given, 'video-tolerance', 1_000_000) ?? TOLERANCES.videoTokens,
  }
}

function whole(given: Given, name: keyof Given, most: number): number | undefined {
  const text = given[name]
  if (text === undefined) return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number <= most) return number
  throw new Stop(2, `\`--${name}\` takes a whole number from 0 to ${most}; got ${JSON.stringify(text)}.`)
}

function bandOf(text: string | undefined): readonly [number, number] | undefined {
  if (text === undefined) return undefined
  const [, low, high] = /^(\d{1,3})-(\d{1,4})$/.exec(text) ?? []
  if (low === undefined || Number(low) > 100 || Number(high) < 100)
    throw new Stop(2, `\`--band\` takes two numbers around 100, such as 75-135; got ${JSON.stringify(text)}.`)
  return [Number(low), Number(high)]
}
