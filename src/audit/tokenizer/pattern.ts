// The regular expressions of tokenizer files, which are written for Oniguruma, as JavaScript has them.

import { MeterError } from '../../errors.ts'

const SIGNS = /[.*+?^${}()|[\]\\/]/g

/** `(?i:'s|'t)`: Node knows modifiers within an expression since version 23 only. */
const CASELESS = /\(\?i:([^()[\]\\]*)\)/g
/** `?+`, `++`, `*+`: these never give back what they took, which makes no difference to what the published ones match. What is escaped or in a class stays. */
const POSSESSIVE = /\\.|\[(?:\\.|[^\]\\])*\]|([?*+])\+/gs

/** A pattern of a tokenizer file, `{ "Regex": "..." }` or `{ "String": "..." }`, to be matched again and again. */
export function patternOf(pattern: unknown, where: string): RegExp {
  const { Regex: regex, String: text } = (pattern ?? {}) as { readonly Regex?: unknown; readonly String?: unknown }
  if (typeof text === 'string' && text !== '') return new RegExp(text.replace(SIGNS, '\\$&'), 'ug')
  if (typeof regex !== 'string' || regex === '') throw unsupported(`${where} has no pattern`)
  const eitherCase = (_: string, inner: string) =>
    `(?:${inner.replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`)})`
  const own = regex
    .replace(CASELESS, eitherCase)
    .replace(POSSESSIVE, (whole, quantifier?: string) => quantifier ?? whole)
  try {
    return new RegExp(own, 'ug')
  } catch {
    throw unsupported(`${where} has an expression that JavaScript cannot match`)
  }
}

/** One sentence, whatever it is that we cannot do. */
export function unsupported(what: string): MeterError {
  return new MeterError('BAD_INPUT', `The tokenizer file cannot be used: ${what}.`)
}
