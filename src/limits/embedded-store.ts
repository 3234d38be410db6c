// The limit store of a meter that was given none: a file beside the embedded ledger, made with the first limit.

import type { LimitChanges, LimitRule, LimitStore, MaybePromise } from './limit-store.ts'
import { memoryLimitStore } from './memory-store.ts'
import type { LimitFile } from './sqlite-store.ts'

export interface EmbeddedStoreOptions {
  /** The file. */
  readonly path: string
  /** The ledger that versions without such a file kept plain limits in. */
  readonly ledgerPath: string
  /** The limits in it; `undefined` where they cannot be read. Never rejects. */
  readonly inLedger: () => Promise<readonly LimitRule[] | undefined>
  /** There can be no such file: limits live in this process from now on. */
  readonly onMemory: (cause: unknown) => void
}

const NOTHING: LimitChanges = { revision: 0, rules: [], removed: [] }
/** What the limits of the ledger are noted under. */
const LEDGER = 'ledger'

/**
 * Nothing is opened before there is a limit, here or in another process. Node's SQLite and the code for it are loaded
 * then; all that is asked meanwhile waits, and keeps its order.
 */
export function embeddedLimitStore(options: EmbeddedStoreOptions): LimitStore {
  const { path, ledgerPath } = options
  let store: LimitStore | undefined
  let isInMemory = false
  let opening: Promise<void> | undefined
  let waiting: { readonly work: (opened: LimitStore) => void; readonly fail: (cause: unknown) => void }[] = []
  /** The ledger has no limits; any that is set from now on goes into the file as well. */
  let isLedgerEmpty = false

  const isThere = (file: string): boolean => process.getBuiltinModule('node:fs').existsSync(file)

  function withStore<T>(work: (opened: LimitStore) => MaybePromise<T>): MaybePromise<T> {
    if (store) return work(store)
    return new Promise<T>((resolve, reject) => {
      const done = async (opened: LimitStore): Promise<T> => work(opened)
      waiting.push({ work: (opened) => void done(opened).then(resolve, reject), fail: reject })
      opening ??= open().finally(() => {
        opening = undefined
      })
    })
  }

  async function open(): Promise<void> {
    try {
      const { limitFile } = await import('./sqlite-store.ts')
      const rules = isThere(ledgerPath) ? await options.inLedger() : []
      const opened = fileOrMemory(limitFile({ path }), rules)
      const asked = waiting
      waiting = []
      // Before anybody can ask without waiting.
      for (const { work } of asked) work(opened)
      store = opened
    } catch (cause) {
      const asked = waiting
      waiting = []
      for (const { fail } of asked) fail(cause)
    }
  }

  function fileOrMemory(file: LimitFile, rules: readonly LimitRule[] | undefined): LimitStore {
    try {
      // What could not be read is for the next process to take over.
      if (rules) file.takeOver(LEDGER, rules)
      else void file.changes(0)
      return file
    } catch (cause) {
      if (isPassing(cause)) throw cause
      isInMemory = true
      options.onMemory(cause)
      const memory = memoryLimitStore()
      for (const rule of rules ?? []) void memory.setLimit(rule)
      return memory
    }
  }

  /** Whether anybody has set a limit, as far as can be seen from outside. */
  function isNeeded(): boolean {
    return store !== undefined || opening !== undefined || isThere(path)
  }

  async function fromLedger(since: number): Promise<LimitChanges> {
    const rules = await options.inLedger()
    isLedgerEmpty = !rules || rules.length === 0
    return isLedgerEmpty && !isNeeded() ? NOTHING : withStore((opened) => opened.changes(since))
  }

  return {
    get isPrivate() {
      return isInMemory || undefined
    },
    get identity() {
      return store?.identity
    },
    setLimit: (rule) => withStore((opened) => opened.setLimit(rule)),
    removeLimit(key) {
      if (!isNeeded() && !isThere(ledgerPath)) return undefined
      return withStore((opened) => opened.removeLimit(key))
    },
    changes(since) {
      if (isNeeded()) return withStore((opened) => opened.changes(since))
      return isLedgerEmpty || !isThere(ledgerPath) ? NOTHING : fromLedger(since)
    },
    accounts(keys) {
      if (!isNeeded()) return keys.map(() => undefined)
      return withStore((opened) => opened.accounts(keys))
    },
    lease(steps) {
      if (!isNeeded()) return steps.map(() => undefined)
      return withStore((opened) => opened.lease(steps))
    },
    async close() {
      await opening
      await store?.close?.()
    },
  }
}

/** Another process writes it at this moment: that is no reason to go on without it. */
function isPassing(cause: unknown): boolean {
  const { errcode } = ((cause as Error | null)?.cause ?? cause ?? {}) as { errcode?: unknown }
  return typeof errcode === 'number' && [5, 6].includes(errcode & 0xff)
}
