// Calendar windows, in UTC: when one starts, when it ends, and its name.

import type { LimitWindow } from '../errors.ts'

export const LIMIT_WINDOWS = ['hour', 'day', 'week', 'month', 'total'] as const satisfies LimitWindow[]

const HOUR = 3_600_000
const DAY = 24 * HOUR
const WEEK = 7 * DAY
/** 1970-01-01 was a Thursday; ISO weeks start on Monday, so the first one began three days before. */
const MONDAY = -3 * DAY

/** Epoch milliseconds at which the window that holds `at` began; 0 for `total`. */
export function windowStart(window: LimitWindow, at: number): number {
  switch (window) {
    case 'hour':
      return Math.floor(at / HOUR) * HOUR
    case 'day':
      return Math.floor(at / DAY) * DAY
    case 'week':
      return Math.floor((at - MONDAY) / WEEK) * WEEK + MONDAY
    case 'month': {
      const date = new Date(at)
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
    }
    case 'total':
      return 0
  }
}

/** Epoch milliseconds at which it ends and the next begins; `undefined` for `total`. */
export function windowEnd(window: LimitWindow, at: number): number | undefined {
  const start = windowStart(window, at)
  switch (window) {
    case 'hour':
      return start + HOUR
    case 'day':
      return start + DAY
    case 'week':
      return start + WEEK
    case 'month': {
      const date = new Date(start)
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
    }
    case 'total':
      return undefined
  }
}

/** Names a window: `2026-11-22T14`, `2026-11-22`, `week-2026-11-16` (its Monday), `2026-11`, `total`. */
export function windowId(window: LimitWindow, at: number): string {
  if (window === 'total') return 'total'
  const iso = new Date(windowStart(window, at)).toISOString()
  switch (window) {
    case 'hour':
      return iso.slice(0, 13)
    case 'day':
      return iso.slice(0, 10)
    case 'week':
      return `week-${iso.slice(0, 10)}`
    case 'month':
      return iso.slice(0, 7)
  }
}
