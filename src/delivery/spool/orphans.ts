// Looks for spools whose process is dead, and takes over those whose sinks we have.

import type { Teller } from '../health.ts'
import { type AdoptedSpool, createAdoptedSpool, headerOf } from './adopted.ts'
import { sinksWithCursor } from './cursor.ts'
import { claim, foldersIn, lastBeat, remove, type SpoolFolder } from './folder.ts'
import { FREE, judge } from './owner.ts'
import { createSetAside } from './set-aside.ts'

export interface OrphansOptions extends Teller {
  readonly root: string
  /** The names of the sinks that this process can serve. */
  readonly serves: ReadonlySet<string>
  readonly adopted: (spool: AdoptedSpool) => void
  /** After how long without a heartbeat a process that cannot be asked counts as dead. */
  readonly silenceMs?: number | undefined
}

export interface Orphans {
  /** Looks once; never throws. */
  look(): void
  /** Spools whose owner may live where we cannot look. */
  readonly unsure: number
  /** What the last look could not list, read or make out: spools, or the folder of all of them. */
  readonly unreadable: number
  /** Spools that are owed to sinks which this process does not have. */
  readonly others: readonly { readonly path: string; readonly owes: readonly string[] }[]
  readonly torn: number
  readonly corrupt: number
  /** Of what was taken over and is not delivered yet. */
  readonly bytes: number
  beat(): void
  leave(): void
}

/** Of our own clock: neither a clock that is set nor a machine that slept makes a living process look dead. */
export const SILENCE_MS = 60_000

export function createOrphans(options: OrphansOptions): Orphans {
  const { root, serves, tell, silenceMs = SILENCE_MS } = options
  const ours = new Map<string, AdoptedSpool>()
  /** Of these there is nothing left that this process could do. */
  const done = new Set<string>()
  const silent = new Map<string, { beat: number | undefined; since: number }>()
  const setAside = createSetAside(options)
  let unsure = 0
  let unreadable = 0
  let others: { path: string; owes: readonly string[] }[] = []

  function isDead(folder: SpoolFolder): boolean {
    const verdict = folder.owner === FREE ? 'dead' : judge(folder.owner)
    if (verdict !== 'unsure') return verdict === 'dead'
    const beat = lastBeat(folder)
    const known = silent.get(folder.path)
    if (known === undefined || known.beat !== beat) silent.set(folder.path, { beat, since: performance.now() })
    else if (performance.now() - known.since >= silenceMs) return true
    unsure++
    return false
  }

  /** To whom a spool is owed that does not say it any more: to us, and to all that have begun with it. */
  function guessed({ path }: SpoolFolder): readonly string[] {
    return [...new Set([...serves, ...sinksWithCursor(path)])]
  }

  function take(folder: SpoolFolder): void {
    const said = headerOf(folder)
    const header = said === 'damaged' ? { owes: guessed(folder) } : said
    if (header === 'foreign' || header === 'newer') {
      unreadable++
      const what = header === 'newer' ? 'was written by a newer version of tallygate' : 'is no spool of tallygate'
      tell({ kind: 'delivery', message: `${folder.path} ${what}; it is left alone` }, `spool:strange:${folder.id}`)
      return
    }
    const lacking = header?.owes.filter((name) => !serves.has(name)) ?? []
    if (lacking.length > 0) {
      others.push({ path: folder.path, owes: header!.owes })
      const message = `${folder.path} holds events of an earlier process for ${lacking.join(' and ')}, which this one does not have: \`npx tallygate drain\` delivers them`
      tell({ kind: 'delivery', message }, `spool:others:${folder.id}`)
      return
    }
    const claimed = claim(root, folder)
    if (claimed === undefined) return
    // Its process died before its first record.
    if (header === undefined) {
      remove(claimed)
      return
    }
    const emptied = () => {
      ours.delete(claimed.id)
      done.add(claimed.id)
    }
    const damaged = setAside.of(claimed)
    const spool = createAdoptedSpool({ root, folder: claimed, header, damaged, emptied })
    ours.set(claimed.id, spool)
    options.adopted(spool)
  }

  return {
    look() {
      unsure = 0
      unreadable = 0
      others = []
      try {
        for (const folder of foldersIn(root)) {
          if (ours.has(folder.id) || done.has(folder.id)) continue
          try {
            if (isDead(folder)) take(folder)
          } catch (cause) {
            // Another process took or removed it while we looked.
            if ((cause as NodeJS.ErrnoException).code === 'ENOENT') continue
            unreadable++
            const message = `${folder.path}, the spool of an earlier process, cannot be read; it is left where it is`
            tell({ kind: 'delivery', message, cause }, `spool:unreadable:${folder.id}`)
          }
        }
      } catch (cause) {
        unreadable++
        tell({ kind: 'delivery', message: `The spools below ${root} cannot be listed`, cause }, 'spool:list')
      }
    },
    get unsure() {
      return unsure
    },
    get unreadable() {
      return unreadable
    },
    get others() {
      return others
    },
    get torn() {
      return setAside.torn
    },
    get corrupt() {
      return setAside.corrupt
    },
    get bytes() {
      let sum = 0
      for (const spool of ours.values()) sum += spool.bytes
      return sum
    },
    beat() {
      for (const [id, spool] of ours) {
        try {
          if (!spool.beat()) ours.delete(id)
        } catch (cause) {
          tell({ kind: 'delivery', message: `The spool below ${root} cannot be written`, cause }, 'spool:beat')
        }
      }
    },
    leave() {
      for (const spool of ours.values()) {
        try {
          spool.leave()
        } catch (cause) {
          tell({ kind: 'delivery', message: `The spool below ${root} cannot be written`, cause }, 'spool:beat')
        }
      }
      ours.clear()
    },
  }
}
