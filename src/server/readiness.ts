// Whether the ledger can be written: asked seldom, however often the server is asked.

import type { Ledger } from '../sinks/ledger.ts'

/** Strangers may ask: an answer is good for so long. */
const GOOD_FOR_MS = 1000
/** A load balancer has given up by then. */
const PATIENCE_MS = 5000

/** Resolves to whether it can; several that ask at once share an answer. */
export function createReadiness(
  ledger: Pick<Ledger, 'limits' | 'check'>,
  monotonic: () => number = () => performance.now(),
): () => Promise<boolean> {
  let asked: { readonly at: number; readonly answer: Promise<boolean> } | undefined

  async function ask(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), PATIENCE_MS)
    })
    const works = async () => {
      await (ledger.check ? ledger.check() : ledger.limits())
      return true
    }
    try {
      return await Promise.race([works(), late])
    } catch {
      return false
    } finally {
      clearTimeout(timer)
    }
  }

  return () => {
    const now = monotonic()
    if (asked === undefined || now - asked.at >= GOOD_FOR_MS) asked = { at: now, answer: ask() }
    return asked.answer
  }
}
