// SQLite answers on the thread that asks it: threads of their own, so that a server goes on taking events while a long
// question is read, and answers short ones beside it.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { MeterError } from '../errors.ts'
import { SQLITE_DIALECT } from './dialect.ts'
import type { Answer, Question } from './reader-thread.ts'
import type { Source } from './source.ts'
import { sqliteSource } from './sqlite-source.ts'
import type { Statement } from './statement.ts'

type Rows = Awaited<ReturnType<Source['ask']>>

interface Thread {
  readonly waiting: number
  ask(statement: Statement): Promise<Rows>
  end(): Promise<unknown>
}

/** While two are at questions of seconds, such as the two of a page by user, a third answers those of milliseconds. */
const MOST_THREADS = 3

/** Reads a ledger of SQLite in threads, which start when they are needed. */
export function threadedSource(path: string): Source {
  const threads = new Set<Thread>()
  const own = sqliteSource(path)

  function start(): Thread {
    const thread = startThread(path, () => void threads.delete(thread))
    threads.add(thread)
    return thread
  }

  return {
    dialect: SQLITE_DIALECT,
    async ask(statement) {
      const byWaiting = [...threads].sort((a, b) => a.waiting - b.waiting)
      const [idlest] = byWaiting
      const isFree = idlest !== undefined && (idlest.waiting === 0 || threads.size >= MOST_THREADS)
      return (isFree ? idlest : start()).ask(statement)
    },
    change: own.change,
    async close() {
      await Promise.all([...[...threads].map((thread) => thread.end()), own.close()])
    },
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
  const asked = new Map<number, { resolve(rows: Rows): void; reject(error: Error): void }>()
  let last = 0

  worker.on('message', ({ id, rows, fault }: Answer) => {
    const { resolve, reject } = asked.get(id)!
    asked.delete(id)
    if (asked.size === 0) worker.unref()
    if (fault === undefined) resolve([...rows!])
    else reject(new MeterError(fault.code, fault.message, { cause: { errcode: fault.errcode } }))
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
    ask: (statement) =>
      new Promise((resolve, reject) => {
        asked.set(++last, { resolve, reject })
        worker.ref()
        worker.postMessage({ id: last, statement } satisfies Question)
      }),
    end: () => worker.terminate(),
  }
}
