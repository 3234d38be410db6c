// What an error of PostgreSQL means: whether waiting helps, whether one row is at fault, and a sentence for a person.

import { MeterError } from '../errors.ts'

/** `passing`: the same again later. `row`: a value that no retry makes fit. `setting`: a person has to change something. */
export type FaultKind = 'passing' | 'row' | 'setting'

export interface PostgresFault {
  readonly kind: FaultKind
  /** SQLSTATE, or a code of Node's such as `ECONNREFUSED`. */
  readonly code: string | undefined
  /** Ends the sentence `The ledger in <where> ...`. Never the server's own words, which quote values. */
  readonly words: string
}

export const UNDEFINED_TABLE = '42P01'
export const UNDEFINED_COLUMN = '42703'
const UNDEFINED_SCHEMA = '3F000'

/** SQLSTATE by its appendix A in the manual of PostgreSQL 18: a whole code before its class of two characters. */
const SETTINGS: Readonly<Record<string, string>> = {
  [UNDEFINED_TABLE]: 'does not have the tables of a ledger',
  [UNDEFINED_COLUMN]: 'does not have the columns of a ledger',
  [UNDEFINED_SCHEMA]: 'does not have the tables of a ledger',
  '3D000': 'is not there: the server has no such database',
  '28P01': 'refused the password',
  '28000': 'refused the user',
  '42501': 'may not be read or written by this user',
  '25006': 'is read-only',
  '42P07': "has another program's tables under the names of a ledger",
  // No partition takes the row: somebody dropped the one that takes what the others do not.
  '23514': 'has no table for events of that month',
}

const PASSING: Readonly<Record<string, string>> = {
  '53100': 'cannot grow: the disk is full',
  '53200': 'is out of memory',
  '53300': 'has no connection to spare',
  '57014': 'took too long',
  '57P01': 'is shutting down',
  '57P02': 'is shutting down',
  '57P03': 'is starting up',
  '40001': 'is being written by another process',
  '40P01': 'is being written by another process',
  '55P03': 'is being written by another process',
  ECONNREFUSED: 'could not be reached',
}

/** 22 data exception, 23 constraint, 54 limit of the program: of the row that was sent. */
const ROW_CLASSES = ['22', '23', '54']

export function postgresFault(cause: unknown): PostgresFault {
  const code = codeOf(cause)
  if (code === undefined) return { kind: 'passing', code, words: 'could not be reached' }
  const setting = SETTINGS[code]
  if (setting !== undefined) return { kind: 'setting', code, words: setting }
  const passing = PASSING[code]
  if (passing !== undefined) return { kind: 'passing', code, words: passing }
  if (isState(code) && code.startsWith('42')) return { kind: 'setting', code, words: 'has tables of another kind' }
  if (isState(code) && ROW_CLASSES.includes(code.slice(0, 2))) return { kind: 'row', code, words: 'refused a value' }
  return { kind: 'passing', code, words: isState(code) && !code.startsWith('08') ? 'failed' : 'could not be reached' }
}

/** What is thrown in place of a driver's error; an error of ours stays as it is. */
export function ledgerError(address: string, cause: unknown): MeterError {
  if (cause instanceof MeterError) return cause
  const { code, words } = postgresFault(cause)
  const number = code === undefined ? '' : ` (${code})`
  return new MeterError('LEDGER_UNAVAILABLE', `The ledger in ${address} ${words}${number}.`, { cause })
}

export function isMissing({ code }: PostgresFault): boolean {
  return code === UNDEFINED_TABLE || code === UNDEFINED_COLUMN || code === UNDEFINED_SCHEMA
}

function isState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}

function codeOf(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | null)?.code
  if (typeof code === 'string') return code
  // Node tries every address of a name, and puts what each said under `errors`.
  const [first] = ((cause as { errors?: unknown } | null)?.errors ?? []) as { code?: unknown }[]
  return typeof first?.code === 'string' ? first.code : undefined
}
