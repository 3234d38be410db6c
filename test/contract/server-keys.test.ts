// API keys of the server: which opens what, whose project an event is counted under, and what is never said.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createIngest } from '../../src/server/ingest.ts'
import { type ApiKey, createKeyring } from '../../src/server/keys.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'

let made = 0
const wire = (over: object = {}) => ({
  event_id: `k-${++made}`,
  timestamp: '2026-11-22T09:00:00Z',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usage_source: 'reported',
  ...over,
})

function stage(apiKeys: readonly (string | ApiKey)[]) {
  const ledger = sqliteLedger({ path: ':memory:' })
  const handler = createIngest({ ledger, apiKeys })
  const call = async (key: string, path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${key}` }
    const response = await handler(new Request(`http://x${path}`, { headers, ...init }))
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const post = (key: string, ...events: unknown[]) =>
    call(key, '/v1/ingest', { method: 'POST', body: JSON.stringify({ schema_version: 1, batch_id: 'b', events }) })
  const projects = async () =>
    Object.fromEntries((await ledger.events()).map(({ eventId, project }) => [eventId, project]))
  return { call, post, projects, [Symbol.asyncDispose]: () => ledger.close() }
}

test('an event without a project gets that of its key, and one that names it keeps it', async () => {
  await using server = stage(['any', { key: 'of-web', project: 'web' }, { key: 'of-batch', project: 'batch' }])
  const events = [wire(), wire({ project: 'web' }), wire({ project: null }), wire({ project: '' })]
  expect(await server.post('of-web', ...events)).toMatchObject({ status: 200, body: { accepted: 4, rejected: [] } })
  const other = wire()
  await server.post('of-batch', other)
  expect(await server.projects()).toEqual({
    ...Object.fromEntries(events.map(({ event_id }) => [event_id, 'web'])),
    [other.event_id]: 'batch',
  })
})

test('an event of another project is refused with its reason, alone, and nothing of it is written', async () => {
  await using server = stage([{ key: 'of-web', project: 'web' }])
  const [good, bad, alike] = [wire(), wire({ project: 'batch' }), wire({ project: 'Web' })]
  const reason = 'Its `project` is another than that of the API key.'
  expect(await server.post('of-web', bad, good, alike)).toEqual({
    status: 200,
    body: {
      accepted: 1,
      duplicates: 0,
      rejected: [
        { event_id: bad.event_id, reason },
        { event_id: alike.event_id, reason },
      ],
    },
  })
  expect(await server.projects()).toEqual({ [good.event_id]: 'web' })
})

test('a key without a project takes events of any', async () => {
  await using server = stage(['any', { key: 'of-web', project: 'web' }])
  const [named, unnamed] = [wire({ project: 'batch' }), wire()]
  await server.post('any', named, unnamed)
  expect(await server.projects()).toEqual({ [named.event_id]: 'batch', [unnamed.event_id]: undefined })
})

test('without a limit store limits are of tenants, over all projects: every key opens them', async () => {
  await using server = stage([{ key: 'of-web', project: 'web' }, 'any'])
  for (const key of ['of-web', 'any']) expect((await server.call(key, '/v1/limits/acme')).status).toBe(200)
  expect((await server.call('wrong', '/v1/limits/acme')).status).toBe(401)
})

test('a key may be given by its digest alone', async () => {
  const sha256 = createHash('sha256').update('a secret').digest('hex')
  const { callerOf } = createKeyring([{ sha256: createHash('sha256').update('a-secret').digest('hex').toUpperCase() }])
  expect(callerOf('Bearer a-secret')).toMatchObject({ project: undefined, role: 'admin' })
  expect(callerOf(`Bearer ${sha256}`)).toBeUndefined()
})

test('a key that is given twice for one project is one key', () => {
  const { callerOf } = createKeyring([
    { key: 'k', project: 'web' },
    { key: 'k', project: 'web' },
  ])
  expect(callerOf('bearer  k')).toMatchObject({ project: 'web', role: 'admin' })
})

const SECRET = 'SECRET-of-the-test'
test.each<[unknown[], string]>([
  [[''], 'Key 1 of `apiKeys` is not a string of visible ASCII characters without spaces.'],
  [[`${SECRET} b`], 'Key 1 of `apiKeys` is not a string of visible ASCII characters without spaces.'],
  [[`${SECRET}\n`], 'Key 1 of `apiKeys` is not a string of visible ASCII characters without spaces.'],
  [['a', `${SECRET}é`], 'Key 2 of `apiKeys` is not a string of visible ASCII characters without spaces.'],
  [[5], 'Key 1 of `apiKeys` has no `key`.'],
  [[null], 'Key 1 of `apiKeys` has no `key`.'],
  [[{ project: 'web' }], 'Key 1 of `apiKeys` has no `key`.'],
  [[{ sha256: SECRET }], 'Key 1 of `apiKeys` has a `sha256` that is not 64 hexadecimal digits.'],
  [[{ key: 'a', sha256: 'b' }], 'Key 1 of `apiKeys` has both a `key` and a `sha256`: one is enough.'],
  [[{ key: SECRET, project: '' }], 'Key 1 of `apiKeys` has a `project` that is not a text of 1 to 1024 characters.'],
  [[{ key: SECRET, project: 5 }], 'Key 1 of `apiKeys` has a `project` that is not a text of 1 to 1024 characters.'],
  [
    [{ key: SECRET, project: 'a\nb' }],
    'Key 1 of `apiKeys` has a `project` that is not a text of 1 to 1024 characters.',
  ],
  [[SECRET, 'b', { key: SECRET, project: 'web' }], 'One key is for two projects in `apiKeys`: the keys 1 and 3.'],
])('keys that cannot be are refused by their place, without a word of them: %#', (keys, sentence) => {
  const making = () => createKeyring(keys as never)
  expect(making).toThrow(sentence)
  try {
    making()
  } catch (error) {
    expect(String(error)).not.toContain('SECRET')
  }
})
