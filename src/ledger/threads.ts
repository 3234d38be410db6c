// SQLite answers on the thread that asks it: threads of their own, so that a server goes on taking events while a long
// question is read, and answers short ones beside it.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { MeterError } from '../errors.ts'
import { sqliteSource } from './sqlite-source.ts'
import { type LedgerViews, viewsOf } from './views.ts'

/** What is asked in a thread; what changes the ledger is not. */
const QUESTIONS = [
  'totals',
  'top',
  'series',
  'summary',
  'percentiles',
  'events',
  'event',
  'invoice',
  'reconciliations',
  'meters',
  'refusals',
] as const satisfies readonly (keyof LedgerViews)[]

type QuestionName = (typeof QUESTIONS)[number]

interface Asked {
  readonly name: QuestionName
  readonly given: unknown
}

export interface Question extends Asked {
  readonly id: number
}

export interface Answer {
  readonly id: number
  readonly answer?: unknown
  readonly fault?: unknown
  /** Of a `MeterError`, which would arrive as an error of no kind. */
  readonly kind?: { readonly code: MeterError['code']; readonly message: string; readonly cause: unknown }
}

interface Thread {
  readonly waiting: number
  ask(asked: Asked): Promise<unknown>
  end(): Promise<unknown>
}

/** While two are at questions of seconds, such as the two of a page by user, a third answers those of milliseconds. */
const MOST_THREADS = 3

/**
 * Reads a ledger of SQLite in threads, which start when they are needed. What comes out of one is the answer and not the
 * rows that it is made of: these keep the thread that has events to take busy for 40 ms where there are five thousand,
 * the answer for 11.
 */
export function threadedViews(path: string): LedgerViews {
  const threads = new Set<Thread>()
  const own = viewsOf(sqliteSource(path))

  function start(): Thread {
    const thread = startThread(path, () => void threads.delete(thread))
    threads.add(thread)
    return thread
  }

  async function ask({ name, given }: Asked): Promise<unknown> {
    const byWaiting = [...threads].sort((a, b) => a.waiting - b.waiting)
    const [idlest] = byWaiting
    const isFree = idlest !== undefined && (idlest.waiting === 0 || threads.size >= MOST_THREADS)
    try {
      return await (isFree ? idlest : start()).ask({ name, given })
    } catch (error) {
      // A function, such as the one that is told of progress, does not go into a thread.
      if ((error as Error).name === 'DataCloneError') return own[name](given as never)
      throw error
    }
  }

  async function close(): Promise<void> {
    await Promise.all([...[...threads].map((thread) => thread.end()), own.close()])
  }

  const questions = QUESTIONS.map((name) => [name, (given?: unknown) => ask({ name, given })])
  const inThreads: Pick<LedgerViews, QuestionName> = Object.fromEntries(questions)
  return {
    ...own,
    ...inThreads,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function startThread(path: string, ended: () => void): Thread {
  // By its name: a bundler may move this code to another folder of the package.
  const manifest = createRequire(import.meta.url).resolve('tallygate/package.json')
  const worker = new Worker(join(dirname(manifest), 'dist/ledger/reader-thread.js'), {
    workerData: { path },
    // Rows go through it once: with the usual room for what is young, three threads would take 100 MB.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  })
  const asked = new Map<number, { resolve(answer: unknown): void; reject(error: unknown): void }>()
  let last = 0

  worker.on('message', ({ id, answer, fault, kind }: Answer) => {
    const { resolve, reject } = asked.get(id)!
    asked.delete(id)
    if (asked.size === 0) worker.unref()
    if (kind !== undefined) reject(new MeterError(kind.code, kind.message, { cause: kind.cause }))
    else if (fault !== undefined) reject(fault)
    else resolve(answer)
  })
  const fail = (cause?: unknown) => {
    ended()
    const error = new MeterError('LEDGER_UNAVAILABLE', `The thread that reads the ledger at ${path} ended.`, { cause })
    for (const { reject } of asked.values()) reject(error)
    asked.clear()
  }
  worker.on('error', fail)
  worker.on('exit', () => fail())
  worker.unref()

  return {
    get waiting() {
      return asked.size
    },
    ask: (question) =>
      new Promise((resolve, reject) => {
        worker.postMessage({ ...question, id: ++last } satisfies Question)
        asked.set(last, { resolve, reject })
        worker.ref()
      }),
    end: () => worker.terminate(),
  }
}
