/**
 * For `vi.waitFor`, `vi.waitUntil` and `expect.poll`: looked at often, since what is to be met may be there for
 * milliseconds, and for long, since a machine with other work takes many times as long as an idle one.
 */
export const PATIENT = { timeout: 60_000, interval: 5 } as const
