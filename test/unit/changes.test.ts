// The trail of changes, in the order in which things happened.

import { expect, test } from 'vitest'
import { afterKeys, type Change, type ChangeLog } from '../../src/server/changes.ts'
import { createKeyring } from '../../src/server/keys.ts'

const AT = '2026-11-23T00:00:00.000Z'
const SET: Change = { at: AT, by: 'k', what: 'limit.set', of: 'acme', before: null, after: '$5 per month, hard' }
const { callers } = createKeyring(['a-key', 'another-key'])

/** One that is slow to be read for the first time, as a database that is being connected to. */
function slowLog(firstRead: Promise<unknown>) {
  const changes: Change[] = []
  const log: ChangeLog = {
    note: async (change) => void changes.unshift(change),
    list: () => firstRead.then(() => [...changes]),
  }
  return log
}

test('a limit that was set while the server started stands behind the keys of that start', async () => {
  let open = () => {}
  const trail = afterKeys(slowLog(new Promise<void>((resolve) => (open = resolve))), callers, AT, () => {})
  const noted = trail.note(SET)
  const listed = trail.list()
  open()
  await noted
  const whats = (changes: readonly Change[]) => changes.map(({ what }) => what)
  expect(whats(await listed)).toEqual(['limit.set', 'key.added', 'key.added'])
  expect(whats(await trail.list())).toEqual(['limit.set', 'key.added', 'key.added'])
})

test('a trail that cannot be read is told of once, and takes what comes later', async () => {
  const faults: unknown[] = []
  const fault = new Error('no disk')
  let reads = 0
  const changes: Change[] = []
  const log: ChangeLog = {
    note: async (change) => void changes.push(change),
    list: () => (++reads === 1 ? Promise.reject(fault) : Promise.resolve(changes)),
  }
  const trail = afterKeys(log, callers, AT, (cause) => faults.push(cause))
  await trail.note(SET)
  expect([faults, await trail.list()]).toEqual([[fault], [SET]])
})
