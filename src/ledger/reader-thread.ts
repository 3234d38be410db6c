// What runs in a thread of `threadedViews`: answers one question of the ledger after the other.

import { parentPort, workerData } from 'node:worker_threads'
import { MeterError } from '../errors.ts'
import { sqliteSource } from './sqlite-source.ts'
import type { Answer, Question } from './threads.ts'
import { viewsOf } from './views.ts'

const views = viewsOf(sqliteSource((workerData as { path: string }).path))

parentPort!.on('message', ({ id, name, given }: Question) => {
  void answerTo(name, given).then((answer) => parentPort!.postMessage({ id, ...answer } satisfies Answer))
})

async function answerTo(name: Question['name'], given: unknown): Promise<Omit<Answer, 'id'>> {
  try {
    return { answer: await views[name](given as never) }
  } catch (fault) {
    if (!(fault instanceof MeterError)) return { fault }
    const { errcode } = (fault.cause ?? {}) as { errcode?: unknown }
    const cause = errcode === undefined ? undefined : { errcode }
    return { kind: { code: fault.code, message: fault.message, cause } }
  }
}
