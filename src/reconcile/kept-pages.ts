// What a provider answered before a run broke off, so that the next one goes on from there: a file for each page.

import { HOUR, type KeptPages, type Period, type Statement } from './statement.ts'
import { dateOf } from './summary.ts'

/** Late rows come for hours: pages of then and pages of now would be of two statements. */
const OLDEST_MS = 12 * HOUR
/** In it, when its first page came. */
const BEGUN = 'begun'

export interface KeepingOptions {
  /** Whose pages: each source and range has a folder of its own in it. */
  readonly folder: string
  readonly source: Statement['source']
  readonly period: Period
  readonly now: number
  /** Told once, in a sentence: without the pages a run goes on all the same. */
  readonly onProblem?: ((sentence: string) => void) | undefined
}

/** Takes out what earlier runs have left for too long; nothing is made before the first page is kept. */
export function openKeptPages({ folder, source, period, now, onProblem }: KeepingOptions): KeptPages {
  const fs = process.getBuiltinModule('node:fs')
  const { join } = process.getBuiltinModule('node:path')
  const range = `${dateOf(period.since)}-to-${dateOf(period.until - 1)}`
  const own = join(folder, `${source.replace(/[^\w-]+/g, '_')}-${range}`)
  let isKeeping = true

  /** Nothing of it is worth a run that fails. */
  function attempt(work: () => void): void {
    try {
      work()
    } catch (cause) {
      if (!isKeeping) return
      isKeeping = false
      const code = (cause as NodeJS.ErrnoException).code ?? 'it failed'
      onProblem?.(`Pages cannot be kept in ${own} (${code}): a run that breaks off begins anew.`)
    }
  }

  function ageOf(path: string): number | undefined {
    const file = join(path, BEGUN)
    return fs.existsSync(file) ? Math.abs(now - Number(fs.readFileSync(file, 'utf8'))) : undefined
  }

  attempt(() => {
    if (!fs.existsSync(folder)) return
    for (const name of fs.readdirSync(folder)) {
      const age = ageOf(join(folder, name))
      if (age !== undefined && !(age <= OLDEST_MS)) fs.rmSync(join(folder, name), { recursive: true, force: true })
    }
  })

  /** Under its name when it is whole: a process may be killed at any time. */
  function write(name: string, text: string): void {
    const part = join(own, `${name}.${process.pid}.part`)
    fs.writeFileSync(part, text, { mode: 0o600 })
    fs.renameSync(part, join(own, name))
  }

  return {
    find(asked) {
      try {
        return JSON.parse(fs.readFileSync(join(own, `${asked}.json`), 'utf8')) as unknown
      } catch {
        // Not there, or not whole since the machine went down: it is asked for.
        return undefined
      }
    },
    keep(asked, answer) {
      if (!isKeeping) return
      attempt(() => {
        fs.mkdirSync(own, { recursive: true, mode: 0o700 })
        if (ageOf(own) === undefined) write(BEGUN, String(now))
        write(`${asked}.json`, JSON.stringify(answer))
      })
    },
    drop: () =>
      attempt(() => {
        fs.rmSync(own, { recursive: true, force: true })
        if (fs.existsSync(folder) && fs.readdirSync(folder).length === 0) fs.rmdirSync(folder)
      }),
  }
}
