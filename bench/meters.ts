// The meters that the benchmarks hold beside the plain SDK: any fault of theirs ends the run.

import { Meter, type MeterOptions } from 'tallygate'

type Sink = NonNullable<MeterOptions['sinks']>[number]

/** Takes events and forgets them: what is left is the cost of the call itself. */
export const discard: Sink = { name: 'discard', send: async () => ({ outcome: 'delivered' }) }

export function meterOf(options: MeterOptions): Meter {
  return new Meter({ onProblem: fail, raiseOnError: true, ...options })
}

function fail(problem: { readonly message: string }): never {
  console.error(problem.message)
  process.exit(1)
}
