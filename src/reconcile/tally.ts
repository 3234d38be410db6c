// Adds the ledger's calls and the statement's rows up in cells and lines of one shape.

import {
  addAmount,
  addQuantity,
  type BilledCell,
  type BillLine,
  createLoggedCell,
  type LoggedCell,
  nameOf,
} from './cells.ts'
import type { LoggedCall } from './logged.ts'
import type { Shape } from './shape.ts'
import { type StatementRow, scopeOf } from './statement.ts'

export interface Tally {
  readonly logged: Map<string, LoggedCell>
  readonly billed: Map<string, BilledCell>
  readonly lines: Map<string, BillLine>
  addCall(call: LoggedCall): void
  addRow(row: StatementRow): void
}

export function createTally(shape: Shape): Tally {
  const logged = new Map<string, LoggedCell>()
  const billed = new Map<string, BilledCell>()
  const lines = new Map<string, BillLine>()

  function loggedCell(call: LoggedCall, part: LoggedCall['parts'][number] | undefined): LoggedCell {
    const key = shape.loggedKey(call, part)
    const name = nameOf(key)
    let cell = logged.get(name)
    if (cell === undefined) logged.set(name, (cell = createLoggedCell(key)))
    return cell
  }

  function addCall(call: LoggedCall): void {
    const own = loggedCell(call, undefined)
    if (call.isRequest) own.requests += call.calls
    own.unsettled.count += call.unsettled
    const isUnreported = call.isRequest && call.usageSource !== 'reported'
    if (isUnreported) own.unreported.count += call.calls
    if (isUnreported && call.usageSource === 'estimated') own.estimated += call.calls
    if (call.hasFailed && call.parts.length > 0) own.failed.count += call.calls
    let rest = call.cost ?? 0n
    for (const part of call.parts) {
      const cell = shape.isInOwnCell(call, part) ? own : loggedCell(call, part)
      const type = shape.typeOf(part.bucket)
      addAmount(cell.amounts, type, part.quantity, part.cost)
      rest -= part.cost
      for (let i = 0; i < call.unsettled; i++) addAmount(own.unsettled.amounts, type, part.quantity, part.cost)
      if (isUnreported) addAmount(own.unreported.amounts, type, part.quantity, part.cost)
      if (call.hasFailed) addAmount(own.failed.amounts, type, part.quantity, part.cost)
    }
    own.other += rest
  }

  function addUsage(row: StatementRow): void {
    const key = shape.billedKey(row)
    const name = nameOf(key)
    let cell = billed.get(name)
    if (cell === undefined)
      billed.set(name, (cell = { ...key, requests: undefined, quantities: new Map(), byScope: new Map() }))
    const scope = scopeOf(row) ?? ''
    let of = cell.byScope.get(scope)
    if (of === undefined) cell.byScope.set(scope, (of = { requests: undefined, quantities: new Map() }))
    for (const each of [cell, of]) {
      if (row.requests !== undefined) each.requests = (each.requests ?? 0) + row.requests
      if (row.type !== undefined && row.quantity !== undefined)
        addQuantity(each.quantities, shape.typeOf(row.type), row.quantity)
    }
  }

  function addCost(row: StatementRow): void {
    const key = shape.rowLine(row)
    const name = lineName(key)
    let line = lines.get(name)
    if (line === undefined)
      lines.set(
        name,
        (line = {
          ...key,
          cost: 0n,
          listCost: undefined,
          quantity: undefined,
          rows: 0,
          item: row.item,
          byScope: new Map(),
        }),
      )
    const cost = row.cost ?? 0n
    line.cost += cost
    line.rows += 1
    if (row.listCost !== undefined) line.listCost = (line.listCost ?? 0n) + row.listCost
    if (row.quantity !== undefined) line.quantity = (line.quantity ?? 0) + row.quantity
    if (line.item !== row.item) line.item = undefined
    const scope = scopeOf(row) ?? ''
    line.byScope.set(scope, (line.byScope.get(scope) ?? 0n) + cost)
  }

  return {
    logged,
    billed,
    lines,
    addCall,
    addRow(row) {
      if (row.kind === 'usage') {
        // What has no bucket of ours is in no ledger either.
        if (row.type !== undefined) addUsage(row)
        return
      }
      addCost(row)
      if (!shape.hasUsage && (row.quantity !== undefined || row.requests !== undefined)) addUsage(row)
    },
  }
}

export function lineName({ type, ...key }: Pick<BillLine, 'at' | 'scope' | 'model' | 'tier' | 'type'>): string {
  return `${nameOf(key)}\u0000${type ?? ''}`
}
