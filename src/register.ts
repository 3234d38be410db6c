// `node --import tallygate/register`: a meter from the environment alone, and SDKs patched as Node loads them.

import { Meter, standIn } from './meter.ts'
import { watchLoading } from './patch/load-hooks.ts'

// Shared by every copy of this package in the process: registered twice is once.
const KEY = Symbol.for('tallygate.registered')
const registered = globalThis as { [KEY]?: Meter }

/**
 * The meter of this process: made of the TALLYGATE_* variables, with everything that loads patched from the start. It
 * sees calls only while no meter that the application makes itself has patched their SDK.
 *
 * @example
 * import { meter as registered } from 'tallygate/register'
 * await registered.forTenant('acme', () => handle(request))
 */
export const meter: Meter = (registered[KEY] ??= register())

function register(): Meter {
  const made = new Meter()
  watchLoading()
  standIn(made)
  return made
}
