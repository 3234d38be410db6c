// The contract of a log that another program wrote: how one of its rows is a call.

import type { LLMEvent } from '../event.ts'
import type { Json } from '../providers/provider.ts'

/** Who a call is for, in the names of our events. */
export type Labels = Partial<
  Pick<
    LLMEvent,
    | 'tenantId'
    | 'userId'
    | 'sessionId'
    | 'feature'
    | 'team'
    | 'project'
    | 'costCenter'
    | 'operationId'
    | 'tags'
    | 'appName'
    | 'environment'
  >
>

/** A call as a log tells of it: what it used is still in the provider's own words. */
export interface LoggedCall {
  /** What the log tells it by; a row without one is told by its content. */
  readonly id?: string | undefined
  /** Epoch milliseconds. */
  readonly at?: number | undefined
  readonly provider: string
  readonly host?: string | undefined
  /** As on our events, or as a path; left out, the answer shows what it is. */
  readonly endpoint?: string | undefined
  /** Whose words the answer is in, where that is not the provider. */
  readonly wire?: string | undefined
  /** The model that was asked for, where the request does not say. */
  readonly model?: string | undefined
  readonly request?: Json | undefined
  /** The answer, its chunks, the line of a batch, or its usage alone. */
  readonly response: unknown
  /** Another object that has the text of the answer, where `response` has its usage alone. */
  readonly text?: Json | undefined
  readonly batch?: boolean | undefined
  readonly labels: Labels
  /** What the log itself says that it cost, in exact decimal dollars. */
  readonly costUsd?: string | undefined
  readonly durationMs?: number | undefined
  readonly timeToFirstTokenMs?: number | undefined
  readonly requestId?: string | undefined
  readonly status?: number | undefined
  /** A short code, where it failed. */
  readonly error?: string | undefined
  /** It never reached the provider: a gateway had the answer already. */
  readonly isFromCache?: boolean | undefined
  /** Numbers and switches that the log has besides. */
  readonly metadata?: LLMEvent['metadata']
}

/** What a row turned out to be: a call to be priced, an event that is one already, or nothing that can be used. */
export type RowReading =
  | { readonly call: LoggedCall }
  | { readonly event: LLMEvent }
  | { readonly manual: Json }
  | { readonly fault: string }

/** One file of this folder: a log, and how its rows are read. */
export interface LogFormat {
  readonly name: string
  /** What its rows are, for the help. */
  readonly rows: string
  /** Its rows may come as comma-separated values under a header. */
  readonly isTable?: boolean
  /** Never throws; says in one sentence, without a word of the row's text, why it is none. */
  read(row: Json): RowReading | Promise<RowReading>
}
