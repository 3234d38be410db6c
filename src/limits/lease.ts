// The arithmetic of accounts and their leases: what a step of a lease changes. The stores in SQL and Lua do the same.

import type { LeaseAnswer, LeaseStep } from './limit-store.ts'

/** What a process has taken of an account, in running totals. */
export interface Lease {
  granted: bigint
  spent: bigint
  returned: bigint
  seq: number
  lastGrant: bigint
  /** In milliseconds, on the clock of the store. */
  expiresAt: number
  isExpired: boolean
  /** Kept after its end: a late double of one of its steps must find what it told already. */
  isFinal: boolean
}

/** One window of a limit, or one slot of a rolling one. */
export interface Books {
  committed: bigint
  escrow: bigint
  suspense: bigint
  warned: number
  readonly leases: Map<string, Lease>
}

export function emptyBooks(committed: bigint): Books {
  return { committed, escrow: 0n, suspense: 0n, warned: 0, leases: new Map() }
}

/** `earlier` are the other slots of a rolling window, before and after: they count in this one too; `others` are live leases that are not in `books`. */
export function takeStep(
  books: Books,
  earlier: readonly Books[],
  step: LeaseStep,
  limit: bigint,
  now: number,
  others = 0,
): LeaseAnswer {
  for (const lease of books.leases.values()) if (lease.expiresAt <= now) charge(books, lease)
  const lease = leaseOf(books, step)
  const warned = books.warned
  if (step.warned > warned) books.warned = step.warned
  // Its holder lives after all: what was charged is its slice again.
  const rest = restOf(lease)
  if (lease.isExpired) books.suspense -= rest
  else books.escrow -= rest
  lease.isExpired = false
  lease.expiresAt = now + step.ttlMs
  tell(books, lease, step)
  const sums = sumOf(books, earlier)
  const free = limit - sums.committed - sums.escrow - sums.suspense - restOf(lease)
  const granted = grant(lease, step, free, BigInt(others + liveIn(books)))
  if (step.final) lease.isFinal = true
  books.escrow += restOf(lease)
  return { granted, account: { ...sumOf(books, earlier), limitNanoUsd: limit, warned }, isOver: lease.isFinal }
}

export function sumOf(books: Books | undefined, earlier: readonly Books[]) {
  const sums = {
    committed: books?.committed ?? 0n,
    escrow: books?.escrow ?? 0n,
    suspense: books?.suspense ?? 0n,
  }
  for (const { committed, escrow, suspense } of earlier) {
    sums.committed += committed
    sums.escrow += escrow
    sums.suspense += suspense
  }
  return sums
}

/** A lease that the store has lost is put back as its holder knows it: what it was granted, and so what it spent of that. */
function leaseOf(books: Books, { leaseId, granted }: LeaseStep): Lease {
  let lease = books.leases.get(leaseId)
  if (lease) return lease
  lease = {
    granted,
    spent: 0n,
    returned: 0n,
    seq: 0,
    lastGrant: 0n,
    expiresAt: Number.POSITIVE_INFINITY,
    isExpired: false,
    isFinal: false,
  }
  books.leases.set(leaseId, lease)
  books.escrow += granted
  return lease
}

/** Its holder was not heard of: the slice may be spent to the last cent, and counts as if it were. */
function charge(books: Books, lease: Lease): void {
  if (lease.isExpired || lease.isFinal) return
  lease.isExpired = true
  books.escrow -= restOf(lease)
  books.suspense += restOf(lease)
}

function tell(books: Books, lease: Lease, { spent, returned }: LeaseStep): void {
  if (spent > lease.spent) {
    books.committed += spent - lease.spent
    lease.spent = spent
  }
  if (returned > lease.returned) lease.returned = returned
}

function grant(lease: Lease, { seq, need, least, want }: LeaseStep, free: bigint, live: bigint): bigint {
  if (seq <= lease.seq) return seq === lease.seq ? lease.lastGrant : 0n
  lease.seq = seq
  lease.lastGrant = 0n
  if (lease.isFinal || need <= 0n) return 0n
  // What the lease overspent is committed already: to cover it takes nothing more of the account.
  const rest = lease.granted - lease.spent - lease.returned
  const available = rest < 0n ? free - rest : free
  if (available >= need) {
    // Near the end slices shrink, until the last of the money is handed out call by call.
    const share = available / (2n * live)
    const fair = want < share ? want : share
    lease.lastGrant = fair > need ? fair : need
  } else if (available >= least) lease.lastGrant = available
  lease.granted += lease.lastGrant
  return lease.lastGrant
}

/** The one that asks is among them. */
function liveIn({ leases }: Books): number {
  let live = 0
  for (const { isExpired, isFinal } of leases.values()) if (!isExpired && !isFinal) live++
  return live || 1
}

/** What it still holds of the account: nothing, where it has spent more than it was granted. */
function restOf({ granted, spent, returned, isFinal }: Lease): bigint {
  const rest = granted - spent - returned
  return isFinal || rest < 0n ? 0n : rest
}
