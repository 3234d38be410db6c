// What one lease has taken of its account, in running totals, and what a step of it changes.

import type { LeaseStep } from './limit-store.ts'

export interface Lease {
  granted: bigint
  spent: bigint
  returned: bigint
  seq: number
  lastGrant: bigint
  /** Kept after its end: a late double of one of its steps must find what it told already. */
  isFinal: boolean
}

export function leaseIn(leases: Map<string, Lease>, leaseId: string): Lease {
  let lease = leases.get(leaseId)
  if (!lease) {
    lease = { granted: 0n, spent: 0n, returned: 0n, seq: 0, lastGrant: 0n, isFinal: false }
    leases.set(leaseId, lease)
  }
  return lease
}

/** What it still holds of the account: nothing, where it has spent more than it was granted. */
export function escrowOf(lease: Lease): bigint {
  const rest = restOf(lease)
  return lease.isFinal || rest < 0n ? 0n : rest
}

/** Takes in what a step tells; gives what was newly spent. */
export function tell(lease: Lease, { spent, returned, final }: LeaseStep): bigint {
  const more = spent > lease.spent ? spent - lease.spent : 0n
  lease.spent += more
  if (returned > lease.returned) lease.returned = returned
  if (final) lease.isFinal = true
  return more
}

/** Gives what a step asks for where `free`, the account's money that nobody holds, can give it. */
export function grant(lease: Lease, { seq, need, want }: LeaseStep, free: bigint): bigint {
  if (seq <= lease.seq) return seq === lease.seq ? lease.lastGrant : 0n
  lease.seq = seq
  // What the lease overspent is committed already: to cover it takes nothing more of the account.
  const rest = restOf(lease)
  const available = rest < 0n ? free - rest : free
  const isGiven = need > 0n && available >= need && !lease.isFinal
  lease.lastGrant = !isGiven ? 0n : available < want ? available : want
  lease.granted += lease.lastGrant
  return lease.lastGrant
}

function restOf({ granted, spent, returned }: Lease): bigint {
  return granted - spent - returned
}
