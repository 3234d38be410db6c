// The rows of a source that is asked over the network: its parts one after the other, by one key and one connection.

import { MeterError } from '../errors.ts'
import { type Puller, type PullOptions, puller } from './pull.ts'
import type { Period, Statement, StatementRow } from './statement.ts'

export interface PulledSource {
  readonly key: string | undefined
  /** What is said where there is no key. */
  readonly needsKey: string
  readonly baseUrl: string
  headers(key: string): PullOptions['headers']
  readonly pause: PullOptions['pause']
  parts(pull: Puller, period: Period): readonly AsyncIterable<StatementRow>[]
}

export function pulledRows({ key, needsKey, baseUrl, headers, pause, parts }: PulledSource): Statement['rows'] {
  return async function* rows(period, progress, kept) {
    if (key === undefined || key === '') throw new MeterError('BAD_OPTION', needsKey)
    const pull = puller({ baseUrl, headers: headers(key), kept, pause })
    let count = 0
    try {
      for (const part of parts(pull, period))
        for await (const row of part) {
          count += 1
          progress?.(count)
          yield row
        }
    } finally {
      await pull.close()
    }
  }
}
