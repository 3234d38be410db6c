// The meters that the benchmarks hold beside the plain SDK: any fault of theirs ends the run.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Meter, type MeterOptions } from 'tallygate'
import type { Sink } from 'tallygate/sinks'
import type { Opened, Sdk } from './sdks.ts'

/** Takes events and forgets them: what is left is the cost of the call itself. */
export const discard: Sink = { name: 'discard', send: async () => ({ outcome: 'delivered' }) }

/** Into `discard`, unless the options say otherwise; `sinks: undefined` is the embedded ledger. */
export function meterOf(options: MeterOptions = {}): Meter {
  // A folder of its own: what an earlier run has left in a spool would be told of, and end this one.
  const dir = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  return new Meter({ onProblem: fail, sinks: [discard], dir, ...options })
}

function fail(problem: { readonly message: string }): void {
  console.error(problem.message)
  process.exit(1)
}

/** A meter on this SDK, and a limit that no call reaches. */
export async function limited(sdk: Sdk, { module }: Opened, options?: MeterOptions): Promise<Meter> {
  const meter = metered(sdk, { module }, options)
  await meter.setLimit('acme', { usd: 1_000_000 })
  return meter
}

export function metered({ sdk }: Sdk, { module }: Pick<Opened, 'module'>, options?: MeterOptions): Meter {
  const meter = meterOf(options)
  const { status } = meter.patch(sdk, { modules: [module] })
  if (status !== 'patched') throw new Error(`The copy of ${sdk} is ${status}.`)
  return meter
}
