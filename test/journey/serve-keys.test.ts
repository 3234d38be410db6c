// Keys of "npx tallygate serve": given on the command line, in the environment or in a file, and never printed.

import { createHash } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

const SECRET = 'SECRET-of-the-test'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

function keysFile(cwd: string, content: unknown, mode = 0o600): string {
  const path = join(cwd, 'keys.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  chmodSync(path, mode)
  return path
}

async function serving(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const running = start(cwd, ['serve', '--port', '0', ...args], env)
  onTestFinished(() => void running.process.kill('SIGKILL'))
  const [, url = ''] = await running.until(/new Meter\(\{ url: '([^']+)'/)
  let sent = 0
  return {
    ...running,
    status: async (key: string) =>
      (await fetch(url.replace('ingest', 'limits/acme'), { headers: { authorization: `Bearer ${key}` } })).status,
    post: async (key: string, project?: string) => {
      const event = {
        event_id: `e-${++sent}`,
        timestamp: '2026-11-22T09:00:00Z',
        provider: 'openai',
        model: 'gpt-4o',
        endpoint: 'chat.completions',
        usage_source: 'reported',
        project,
      }
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ schema_version: 1, batch_id: 'b', events: [event] }),
      })
      return (await response.json()) as { accepted: number; rejected: { reason: string }[] }
    },
  }
}

test('each key counts events under its project, and the report shows them by it', async () => {
  const cwd = folder()
  const server = await serving(cwd, [
    '--api-key',
    `web=${SECRET}-1`,
    '--api-key',
    `batch=${SECRET}-2==`,
    '--api-key',
    'any=',
  ])
  await server.post(`${SECRET}-1`)
  await server.post(`${SECRET}-1`, 'web')
  await server.post(`${SECRET}-2==`)
  await server.post('any=', 'of-its-own')
  expect(await server.post(`${SECRET}-1`, 'batch')).toMatchObject({
    accepted: 0,
    rejected: [{ reason: 'Its `project` is another than that of the API key.' }],
  })
  server.process.kill('SIGTERM')
  const { exitCode, stdout, stderr } = await server.finished
  expect([exitCode, stderr]).toEqual([0, ''])
  expect(stdout).not.toContain(SECRET)
  const report = await run(cwd, ['report', '--by', 'project', '--json'])
  const { rows } = JSON.parse(report.stdout) as { rows: { project: string; calls: number }[] }
  expect(Object.fromEntries(rows.map(({ project, calls }) => [project, calls]))).toEqual({
    web: 2,
    batch: 1,
    'of-its-own': 1,
  })
})

test('the environment has keys in three places, and all of them open; what is given on the command line goes before it', async () => {
  const cwd = folder()
  const sha256 = createHash('sha256').update('from-digest').digest('hex')
  const path = keysFile(cwd, { keys: [{ key: 'from-file', project: 'web', note: 'until March' }, { sha256 }] })
  const env = {
    TALLYGATE_API_KEY: 'one=whole=key',
    TALLYGATE_API_KEYS: 'batch=listed, other',
    TALLYGATE_KEYS_FILE: path,
  }
  const server = await serving(cwd, [], env)
  const keys = ['one=whole=key', 'listed', 'other', 'from-file', 'from-digest', sha256, 'whole=key', 'batch=listed']
  expect(await Promise.all(keys.map(server.status))).toEqual([200, 200, 200, 200, 200, 401, 401, 401])
  const given = await serving(cwd, ['--keys', path], env)
  expect(await Promise.all(keys.map(given.status))).toEqual([401, 401, 401, 200, 200, 401, 401, 401])
})

test.each<[string, string, number, RegExp]>([
  [
    'that others may read',
    '{"keys":[{"key":"SECRET"}]}',
    0o644,
    /can be read or changed by others: `chmod 600 .*` ends that\.\n$/,
  ],
  ['that the group may change', '{"keys":[{"key":"SECRET"}]}', 0o620, /can be read or changed by others/],
  ['that is no JSON', 'SECRET', 0o600, /keys\.json is not JSON\.\n$/],
  ['that is another JSON', '["SECRET"]', 0o600, /has to hold \{ "keys": \[/],
  ['that holds none', '{"keys":[]}', 0o600, /has to hold \{ "keys": \[/],
  [
    'with a name that is none',
    '{"keys":[{"key":"SECRET","projekt":"web"}]}',
    0o600,
    /Key 1 of .*keys\.json is not an object with/,
  ],
  [
    'with a key that is none',
    '{"keys":[{"key":"a"},{"key":"SECRET b"}]}',
    0o600,
    /^Key 2 of .*keys\.json is not a string of visible ASCII/,
  ],
  [
    'with a digest that is none',
    '{"keys":[{"sha256":"SECRET"}]}',
    0o600,
    /^Key 1 of .*keys\.json has a `sha256` that is not 64/,
  ],
])('a file of keys %s is refused in one sentence, without a word of a key', async (_, content, mode, sentence) => {
  const cwd = folder()
  const { exitCode, stdout, stderr } = await run(cwd, ['serve', '--keys', keysFile(cwd, content, mode)])
  expect([exitCode, stdout, stderr]).toEqual([2, '', expect.stringMatching(sentence)])
  expect(stderr).not.toContain('SECRET')
  expect(stderr.trim().split('\n')).toHaveLength(1)
})

test('a file of keys that the group may read is taken, as a secret that is mounted', async () => {
  const cwd = folder()
  const server = await serving(cwd, ['--keys', keysFile(cwd, { keys: [{ key: 'k' }] }, 0o440)])
  expect(await server.status('k')).toBe(200)
})

test.each<[string, readonly string[], NodeJS.ProcessEnv, RegExp]>([
  ['a file that is not there', ['--keys', 'none.json'], {}, /^The file of keys none\.json is not there\.\n$/],
  [
    'one key for two projects',
    ['--api-key', `a=${SECRET}`, '--api-key', `b=${SECRET}`],
    {},
    /^One key is for two projects in `--api-key`: the keys 1 and 2\.\n$/,
  ],
  ['a key of two words', ['--api-key', `${SECRET} b`], {}, /^Key 1 of `--api-key` is not a string of visible ASCII/],
  ['the second word of a key', ['--api-key', 'a', SECRET], {}, /^`serve` takes options only, got something else;/],
  [
    'a key with a line break',
    [],
    { TALLYGATE_API_KEY: `${SECRET}\n` },
    /^Key 1 of `TALLYGATE_API_KEY` is not a string of visible/,
  ],
  [
    'one key for two projects in two places',
    [],
    { TALLYGATE_API_KEY: SECRET, TALLYGATE_API_KEYS: `a=${SECRET}` },
    /^One key is for two projects in what is given: the keys 1 and 2\.\n$/,
  ],
])('%s is refused in one sentence, without a word of a key', async (_, args, env, sentence) => {
  const { exitCode, stdout, stderr } = await run(folder(), ['serve', ...args], env)
  expect([exitCode, stdout, stderr]).toEqual([2, '', expect.stringMatching(sentence)])
  expect(stderr).not.toContain('SECRET')
})
