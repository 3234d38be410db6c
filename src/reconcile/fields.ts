// Reads the fields of somebody else's rows: what is not as it should be stops with what was expected and what came.

import { MeterError } from '../errors.ts'
import { timeIn } from '../event.ts'
import { PICO_PER_USD, type PicoUsd, parseUsd, scale } from '../money.ts'

export type Fields = Readonly<Record<string, unknown>>

/** `where` is the row: `openai costs, 2026-11-03`. */
export function stop(where: string, field: string, wanted: string, came: unknown): never {
  throw new MeterError('BAD_INPUT', `${where}: expected \`${field}\` to be ${wanted}, got ${shown(came)}.`)
}

/** The same, of what is no value but a state of things: `came` stands as it is. */
export function stopAt(where: string, what: string, wanted: string, came: string): never {
  throw new MeterError('BAD_INPUT', `${where}: expected ${what} to be ${wanted}, got ${came}.`)
}

/** Short, and never a text of which nobody knows what it holds. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string')
    return value.length > 60 ? `a text of ${value.length} characters` : JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

export function objectIn(value: unknown, where: string, field: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  return stop(where, field, 'an object', value)
}

export function listIn(value: unknown, where: string, field: string): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : stop(where, field, 'a list', value)
}

export function textIn(fields: Fields, field: string, where: string): string {
  const value = fields[field]
  return typeof value === 'string' && value !== '' ? value : stop(where, field, 'a text', value)
}

/** `null` where the provider says that there is none. */
export function idIn(fields: Fields, field: string, where: string): string | null | undefined {
  const value = fields[field]
  if (value === undefined || value === null || typeof value === 'string') return value
  return stop(where, field, 'a text or null', value)
}

export function optionalText(fields: Fields, field: string, where: string): string | undefined {
  return idIn(fields, field, where) ?? undefined
}

/** A whole number of at least 0; `undefined` where the field is not there. */
export function countIn(fields: Fields, field: string, where: string): number | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  const count = typeof value === 'string' && /^\d+(\.0+)?$/.test(value) ? Number(value) : value
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
  return stop(where, field, 'a whole number of at least 0', value)
}

export function neededCount(fields: Fields, field: string, where: string): number {
  return countIn(fields, field, where) ?? stop(where, field, 'a whole number of at least 0', fields[field])
}

/** Any number: of seconds or gigabyte-hours, and below 0 where a line takes back what another one billed. */
export function numberIn(fields: Fields, field: string, where: string): number | undefined {
  const value = fields[field]
  if (value === undefined || value === null || value === '') return undefined
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : stop(where, field, 'a number', value)
}

const DIGITS = /^(-?)(\d+)(?:\.(\d+))?$/

/** Money as it is written, `unit` of them to the dollar: 100 for cents. Digits beyond the pico-dollar are rounded, half to even. */
export function moneyIn(fields: Fields, field: string, where: string, unit: 1 | 100 = 1): PicoUsd {
  const value = fields[field]
  const text = typeof value === 'number' ? decimal(value) : typeof value === 'string' ? value.trim() : ''
  const match = DIGITS.exec(text)
  const plain = match === null ? parseUsd(text) : undefined
  if (plain !== undefined) return scale(plain, 1n, BigInt(unit))
  if (match === null) return stop(where, field, 'an amount in decimal digits', value)
  const [, sign, whole = '0', fraction = ''] = match
  const pico = scale(BigInt(whole + fraction), PICO_PER_USD, 10n ** BigInt(fraction.length) * BigInt(unit))
  return sign === '-' ? -pico : pico
}

/** `String(1e-7)` is no decimal. */
function decimal(value: number): string {
  const text = String(value)
  return DIGITS.test(text) ? text : value.toFixed(15)
}

/** Only dollars: a rate of exchange is nobody's to guess. */
export function checkCurrency(value: unknown, where: string, field = 'currency'): 'USD' {
  if (typeof value === 'string' && value.toUpperCase() === 'USD') return 'USD'
  return stop(where, field, '"USD"', value)
}

/** Epoch milliseconds; a moment without a zone is UTC, and one of another zone is the moment that it is. */
export function momentIn(fields: Fields, field: string, where: string): number {
  const value = fields[field]
  const at = typeof value === 'string' ? timeIn(value) : Number.NaN
  return Number.isNaN(at) ? stop(where, field, 'a moment such as 2026-11-22T00:00:00Z', value) : at
}

export function unixIn(fields: Fields, field: string, where: string): number {
  return neededCount(fields, field, where) * 1000
}
