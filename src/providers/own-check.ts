// What a provider of an application's own may say of itself, and the one sentence for the first thing that cannot be.

import { expected, MeterError } from '../errors.ts'
import { isObject } from './counts.ts'
import type { ProviderDefinition } from './own.ts'

type Rule = readonly [field: string, expects: string, accepts: (value: unknown) => boolean]

const isName = (value: unknown): boolean => typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value)
const isHost = (value: unknown): boolean =>
  value instanceof RegExp || (typeof value === 'string' && /^(?:\*\.)?[^\s/@*]+$/.test(value))
const isOneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    values.includes(value)
const isFunction = (value: unknown): boolean => typeof value === 'function'
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const optional = (accepts: (value: unknown) => boolean) => (value: unknown) => value === undefined || accepts(value)

const RULES: readonly Rule[] = [
  ['name', 'a short name of letters, digits, `.`, `:`, `_` and `-`', isName],
  [
    'hosts',
    'a host such as `llm.example.com`, a pattern, or a list of them',
    (value) => (Array.isArray(value) ? value.length > 0 && value.every(isHost) : isHost(value)),
  ],
  ['wire', "'openai', 'anthropic' or 'google'", optional(isOneOf('openai', 'anthropic', 'google'))],
  ['routes', 'a list of routes', optional(Array.isArray)],
  ['streamUsage', "'ask', 'unasked' or 'refused'", optional(isOneOf('ask', 'unasked', 'refused'))],
  ['isUsageOnEveryChunk', 'true or false', optional(isOneOf(true, false))],
  ['reasoning', "'inside' or 'outside'", optional(isOneOf('inside', 'outside'))],
  ['charge', "'openrouter', 'ticks' or 'total_cost'", optional(isOneOf('openrouter', 'ticks', 'total_cost'))],
  ['cacheMiss', 'the name of a field', optional(isText)],
  ['isRouter', 'true or false', optional(isOneOf(true, false))],
  [
    'endpoints',
    'an object from endpoint to endpoint',
    optional((value) => isObject(value) && Object.values(value).every(isName)),
  ],
  ['modelPrefix', 'a string', optional(isText)],
]

const ROUTE_RULES: readonly Rule[] = [
  ['endpoint', 'a short name of letters, digits, `.`, `:`, `_` and `-`', isName],
  ['path', 'the end of a path, or a pattern', (value) => isText(value) || value instanceof RegExp],
  ['method', "'get' or 'post'", optional(isOneOf('get', 'post'))],
  ['read', 'a function', isFunction],
  ['request', 'a function', optional(isFunction)],
]

export function checkDefinition(definition: ProviderDefinition): void {
  checkFields('provider', '', definition, RULES)
  const { wire, routes = [] } = definition
  if (!wire && routes.length === 0)
    throw new MeterError(
      'BAD_INPUT',
      'A provider needs a `wire` that it speaks or `routes` of its own; it has neither.',
    )
  routes.forEach((route, i) => {
    checkFields(`routes[${i}]`, `routes[${i}].`, route, ROUTE_RULES)
  })
}

function checkFields(whole: string, before: string, value: unknown, rules: readonly Rule[]): void {
  if (!isObject(value)) throw new MeterError('BAD_INPUT', expected(whole, 'an object', value))
  const unknown = Object.keys(value).find((field) => !rules.some(([name]) => name === field))
  if (unknown !== undefined) {
    const names = rules.map(([name]) => name).join(', ')
    throw new MeterError('BAD_INPUT', `There is no \`${before}${unknown.slice(0, 40)}\`; the fields are ${names}.`)
  }
  for (const [field, expects, accepts] of rules)
    if (!accepts(value[field])) throw new MeterError('BAD_INPUT', expected(before + field, expects, value[field]))
}
