// Looks at a ledger from time to time, and tells what began and what is over, each once.

import { createHash } from 'node:crypto'
import { expected, MeterError } from '../errors.ts'
import { createProblems, type Problem } from '../problems.ts'
import type { AlertRule, Notice } from './alert.ts'
import type { AlertStore, Told } from './store.ts'
import type { AlertTarget } from './targets.ts'

export interface WatchSetup {
  readonly rules: readonly AlertRule[]
  readonly targets: readonly AlertTarget[]
  readonly store: AlertStore
  /** 60,000; 0: only `check()`. */
  readonly everyMs?: number | undefined
  /** Told when a rule cannot look, or a target cannot be told; without it, that is a warning of the process. */
  readonly onProblem?: ((problem: Problem) => void) | undefined
  readonly now?: (() => number) | undefined
}

export interface AlertCheck {
  /** Alerts that are so now. */
  readonly firing: number
  /** Notices that were told. */
  readonly told: number
  /** Notices and rules that failed: they are tried again. */
  readonly failed: number
}

export interface AlertWatch extends AsyncDisposable {
  /** Looks now, and tells what is to be told. While it does, a second call gives the same answer. */
  check(): Promise<AlertCheck>
  close(): Promise<void>
}

const EVERY_MS = 60_000
/** Nobody else tells a notice within this time: longer than a target takes to answer or to fail. */
const CLAIM_MS = 60_000
const FIRST_RETRY_MS = 30_000
const LAST_RETRY_MS = 3_600_000

export function createWatch({
  rules,
  targets,
  store,
  everyMs = EVERY_MS,
  onProblem,
  now = Date.now,
}: WatchSetup): AlertWatch {
  if (!(Number.isFinite(everyMs) && everyMs >= 0))
    throw new MeterError('BAD_OPTION', expected('everyMs', 'a number of 0 or more', everyMs))
  const problems = createProblems({ onProblem, raiseOnError: false })
  const stopping = new AbortController()
  const names = targets.map(({ name }) => name)
  let checking: Promise<AlertCheck> | undefined
  let timer: ReturnType<typeof setInterval> | undefined

  async function look(rule: AlertRule): Promise<number> {
    const at = now()
    const firing = await rule.check(at)
    const keys = new Set(firing.map(({ key }) => key))
    const open = await store.open(rule.kind, names)
    const known = new Set(open.map(({ target, key }) => `${target} ${key}`))
    for (const target of names)
      for (const alert of firing) if (!known.has(`${target} ${alert.key}`)) await store.raise(target, alert, at)
    for (const { target, key } of open)
      if (!keys.has(key) && (rule.owns?.(key) ?? true)) await store.end(target, key, at)
    return firing.length
  }

  async function tellAll(target: AlertTarget): Promise<{ told: number; failed: number }> {
    const done = { told: 0, failed: 0 }
    for (const told of await store.claim(target.name, now(), now() + CLAIM_MS)) {
      const wait = Math.min(FIRST_RETRY_MS * 2 ** (told.tries - 1), LAST_RETRY_MS)
      try {
        await target.tell(noticeOf(told), stopping.signal)
        await store.told(told, now())
        problems.clear(`target:${target.name}`)
        done.told++
      } catch (cause) {
        done.failed++
        await store.failed(told, now() + wait)
        report(cause, `An alert could not be told to ${target.name}`, `target:${target.name}`)
      }
    }
    return done
  }

  function report(cause: unknown, what: string, key: string): void {
    const why = cause instanceof MeterError ? cause.message : `${what}.`
    problems.report({ kind: 'delivery', message: why, cause }, key)
  }

  async function run(): Promise<AlertCheck> {
    let [firing, told, failed] = [0, 0, 0]
    for (const [i, rule] of rules.entries()) {
      try {
        firing += await look(rule)
        problems.clear(`rule:${i}`)
      } catch (cause) {
        failed++
        report(cause, `The alerts of kind ${rule.kind} could not be looked for`, `rule:${i}`)
      }
    }
    const done = await Promise.all(
      targets.map((target) =>
        tellAll(target).catch((cause: unknown) => {
          report(cause, 'What was told of alerts cannot be read', 'store')
          return { told: 0, failed: 1 }
        }),
      ),
    )
    for (const one of done) [told, failed] = [told + one.told, failed + one.failed]
    return { firing, told, failed }
  }

  function check(): Promise<AlertCheck> {
    checking ??= run().finally(() => {
      checking = undefined
    })
    return checking
  }

  async function close(): Promise<void> {
    clearInterval(timer)
    stopping.abort()
    await checking
    for (const target of targets) await target.close?.()
    await store.close()
  }

  if (everyMs > 0) {
    timer = setInterval(() => void check(), everyMs)
    timer.unref()
    void check()
  }
  return { check, close, [Symbol.asyncDispose]: close }
}

function noticeOf({ target, alert, raisedAt, endedAt }: Told): Notice {
  const status = endedAt === undefined ? 'firing' : 'resolved'
  const hash = createHash('sha256').update(`${target} ${alert.key} ${raisedAt} ${status} ${endedAt}`).digest('hex')
  return {
    ...alert,
    id: hash.slice(0, 32),
    status,
    since: new Date(raisedAt).toISOString(),
    ...(endedAt !== undefined && { until: new Date(endedAt).toISOString() }),
  }
}
