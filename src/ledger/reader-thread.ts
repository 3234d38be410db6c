// What runs in a thread of `threadedSource`: asks the ledger, one statement after the other.

import { parentPort, workerData } from 'node:worker_threads'
import { MeterError } from '../errors.ts'
import type { Row } from './dialect.ts'
import { sqliteSource } from './sqlite-source.ts'
import type { Statement } from './statement.ts'

export interface Question {
  readonly id: number
  readonly statement: Statement
}

export interface Answer {
  readonly id: number
  readonly rows?: readonly Row[]
  /** Of a `MeterError`, which would arrive as an error of no kind. */
  readonly fault?: { readonly code: MeterError['code']; readonly message: string; readonly errcode: unknown }
}

const source = sqliteSource((workerData as { path: string }).path)

parentPort!.on('message', ({ id, statement }: Question) => {
  void answerTo(id, statement).then((answer) => parentPort!.postMessage(answer))
})

async function answerTo(id: number, statement: Statement): Promise<Answer> {
  try {
    return { id, rows: await source.ask(statement) }
  } catch (error) {
    if (!(error instanceof MeterError)) throw error
    const { errcode } = (error.cause ?? {}) as { errcode?: unknown }
    return { id, fault: { code: error.code, message: error.message, errcode } }
  }
}
