// The database behind the views: asks one statement at a time, and says in one sentence what went wrong.

import type { Dialect, Row } from './dialect.ts'
import type { Statement } from './statement.ts'

export interface Source {
  readonly dialect: Dialect
  ask(statement: Statement): Promise<Row[]>
  /** Runs a statement that changes something; the rows that it gives. */
  change(statement: Statement): Promise<Row[]>
  close(): Promise<void>
}
