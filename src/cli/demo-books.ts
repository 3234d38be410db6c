// Where the demo writes: a ledger of its own, or the memory of this process where there can be none.

import { rmSync } from 'node:fs'
import { type LLMEvent, MeterError } from '../index.ts'
import type { Ledger } from '../sinks/ledger.ts'
import type { Sink } from '../sinks/sink.ts'
import { tally } from './demo-tally.ts'
import { ledgerIn, shown } from './place.ts'

export interface Books extends Pick<Ledger, 'totals' | 'limits' | 'spent'> {
  readonly sink: Sink
  readonly isFile: boolean
  events(): Promise<readonly LLMEvent[]>
  close(): Promise<void>
}

/** What an earlier demo wrote is replaced; the folder holds nothing else. */
export async function openBooks(folder: string, say: (sentence: string) => void): Promise<Books> {
  const { sqliteLedger } = await import('../sinks/sqlite.ts')
  const path = ledgerIn(folder)
  const ledger = sqliteLedger({ path })
  try {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
    await ledger.limits()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = error instanceof MeterError ? message : `${shown(folder)} cannot be written to (${code}).`
    say(`${why} The demo goes on in memory.`)
    return inMemory()
  }
  const { totals, limits, spent, events, close } = ledger
  return { sink: ledger, isFile: true, totals, limits, spent, events: () => events(), close }
}

async function inMemory(): Promise<Books> {
  const { memorySink } = await import('../sinks/memory.ts')
  const sink = memorySink()
  const books = () => tally(sink.events)
  return {
    sink,
    isFile: false,
    totals: (query) => books().totals(query),
    limits: () => books().limits(),
    spent: (tenantId, since) => books().spent(tenantId, since),
    events: async () => sink.events,
    close: async () => undefined,
  }
}
