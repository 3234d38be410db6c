// What of a spool could not be read: counted, and kept beside it with its reason.

import type { Teller } from '../health.ts'
import type { Damage } from './tape.ts'

export interface SetAside {
  /** Lines that were never finished: their process died as it wrote them, before anybody was told that they are recorded. */
  readonly torn: number
  readonly corrupt: number
  of(spool: { readonly id: string; readonly path: string }): (damage: Damage) => void
}

const FILE = 'set-aside.jsonl'

export function createSetAside({ root, tell }: Teller & { readonly root: string }): SetAside {
  let torn = 0
  let corrupt = 0

  function keep(damage: Damage, path: string): void {
    const { reason, place, line } = damage
    const { appendFileSync } = process.getBuiltinModule('node:fs')
    const at = new Date().toISOString()
    const entry = {
      at,
      from: path,
      segment: place.segment,
      offset: place.offset,
      reason,
      base64: line.toString('base64'),
    }
    try {
      appendFileSync(`${root}/${FILE}`, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
    } catch (cause) {
      tell({ kind: 'delivery', message: `${root}/${FILE} cannot be written`, cause }, 'spool:set-aside')
    }
  }

  return {
    get torn() {
      return torn
    },
    get corrupt() {
      return corrupt
    },
    of: (spool) => (damage) => {
      const { what, place, reason } = damage
      if (what === 'torn') torn++
      else if (what === 'corrupt') {
        corrupt++
        keep(damage, spool.path)
        const message = `A record in ${spool.path} could not be read (${reason}); it is set aside in ${root}/${FILE}`
        tell({ kind: 'delivery', message }, `spool:corrupt:${spool.id}`)
      } else {
        const message = `Segment ${place.segment} in ${spool.path} is left alone: ${reason}`
        tell({ kind: 'delivery', message }, `spool:strange:${spool.id}:${place.segment}`)
      }
    },
  }
}
