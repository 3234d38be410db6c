// Faults of ours: swallowed, counted, said once per kind, never thrown into the application.

import { MeterError, type MeterErrorCode } from './errors.ts'

/** Something that went wrong inside tallygate while the application went on. */
export interface Problem {
  /** Which kind, stable across versions: `'delivery'`, `'usage'`, `'patch'`, `'ledger'`, `'price'`, `'tenant'`, `'callback'`, `'limit'`. */
  readonly kind: ProblemKind
  /** One sentence for a person. Never holds text of a prompt, an answer or a provider's error. */
  readonly message: string
  readonly cause?: unknown
}

export type ProblemKind =
  | 'delivery'
  | 'usage'
  | 'patch'
  | 'ledger'
  | 'price'
  | 'tenant'
  | 'callback'
  | 'limit'
  | 'internal'

export interface ProblemReporter {
  /** Reports a fault. With a `key`, the same key is reported once until `cleared`; it is counted every time. */
  report(problem: Problem, key?: string): void
  /** The state behind `key` is over: the next report of it is said again. */
  clear(key: string): void
  /** Runs `fn` and swallows what it throws, reporting it; gives `undefined` then. */
  guard<T>(kind: ProblemKind, doing: string, fn: () => T): T | undefined
  readonly counts: Readonly<Record<string, number>>
}

export interface ProblemOptions {
  readonly onProblem?: ((problem: Problem) => void) | undefined
  readonly raiseOnError: boolean
  /** Is told of every problem that is said, besides. Never throws. */
  readonly noted?: ((problem: Problem) => void) | undefined
}

const KEYS_REMEMBERED = 1000

/**
 * With no `onProblem`, problems go to `process.emitWarning`, one each: visible in development, harmless in production.
 */
export function createProblems({ onProblem, raiseOnError, noted }: ProblemOptions): ProblemReporter {
  const counts: Record<string, number> = {}
  const said = new Set<string>()
  /** What `raiseOnError` threw: on its way out it may come by a guard, which must not count it again. */
  const raised = new WeakSet<object>()

  function report(problem: Problem, key?: string): void {
    if (raiseOnError) raise(problem)
    counts[problem.kind] = (counts[problem.kind] ?? 0) + 1
    const safe =
      problem.cause === undefined || mayBeShown(problem) ? problem : { kind: problem.kind, message: problem.message }
    if (key !== undefined) {
      if (said.has(key)) return
      if (said.size >= KEYS_REMEMBERED) said.clear()
      said.add(key)
    }
    noted?.(problem)
    try {
      if (!onProblem) process.emitWarning(safe.message, { type: 'TallygateWarning', code: safe.kind })
      else {
        const answer: unknown = onProblem(safe)
        if (answer instanceof Promise) answer.catch(failedToTell)
      }
    } catch {
      failedToTell()
    }
  }

  function raise({ kind, message, cause }: Problem): never {
    if (cause instanceof MeterError && raised.has(cause)) throw cause
    counts[kind] = (counts[kind] ?? 0) + 1
    const error = new MeterError(codeOf(cause), message, { cause })
    raised.add(error)
    noted?.({ kind, message })
    throw error
  }

  /** The user's own handler failed while it was being told of a fault: there is nobody left to tell. */
  function failedToTell(): void {
    counts['callback'] = (counts['callback'] ?? 0) + 1
  }

  return {
    report,
    counts,
    clear(key) {
      said.delete(key)
    },
    guard(kind, doing, fn) {
      const failed = (cause: unknown): undefined =>
        void report({ kind, message: `tallygate failed while ${doing}: ${nameOf(cause)}`, cause }, `${kind}:${doing}`)
      try {
        const result = fn()
        // A callback may be an async function: its rejection must not end the process.
        if (kind === 'callback' && result instanceof Promise) result.catch(failed).catch(failedToTell)
        return result
      } catch (cause) {
        return failed(cause)
      }
    },
  }
}

/** Codes of Node, undici and SQLite. An SDK's error has a code too, and quotes the provider's text. */
const SYSTEM_CODE = /^(?:ERR_|UND_ERR_|SQLITE|E[A-Z\d]+$)/

/** A `SyntaxError` of JSON.parse quotes what it could not read, which can be a prompt: only our own errors, the system's and the user's pass. */
function mayBeShown({ kind, cause }: Problem): boolean {
  const code = (cause as { code?: unknown } | null)?.code
  return kind === 'callback' || cause instanceof MeterError || (typeof code === 'string' && SYSTEM_CODE.test(code))
}

function codeOf(cause: unknown): MeterErrorCode {
  return cause instanceof MeterError ? cause.code : 'BAD_INPUT'
}

/** The class of an error, not its message: messages of SDKs and providers can quote a prompt. */
function nameOf(cause: unknown): string {
  if (cause instanceof MeterError) return cause.message
  if (cause instanceof Error) {
    const code = (cause as { code?: unknown }).code
    return typeof code === 'string' ? `${cause.name} (${code})` : cause.name
  }
  return typeof cause
}
