// "npx tallygate dashboard", and the dashboard of "npx tallygate serve", as they come in the package.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { fill, storyOf } from '../support/bookful.ts'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

const OWN = { 'sec-fetch-site': 'same-origin' }

async function folder({ isEmpty = false } = {}): Promise<string> {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  if (isEmpty) return temporary.path
  const ledger = sqliteLedger({ path: join(temporary.path, 'ledger.db') })
  await fill(ledger, storyOf(30, Date.now()))
  await ledger.close()
  return temporary.path
}

function started(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const running = start(cwd, args, env)
  onTestFinished(() => void running.process.kill('SIGKILL'))
  return running
}

test('the address that it prints opens the ledger once, and limits that are set there are in it', async () => {
  const cwd = await folder()
  const running = started(cwd, ['dashboard', '--dir', '.', '--port', '0', '--no-open'])
  const [, url = '', token = ''] = await running.until(/(http:\/\/127\.0\.0\.1:\d+)\/#token=([\w-]{32})/)
  expect(await (await fetch(url)).text()).toContain('<title>tallygate</title>')
  expect((await fetch(`${url}/v1/totals`)).status).toBe(401)
  const signIn = () =>
    fetch(`${url}/v1/session`, { method: 'POST', headers: OWN, body: JSON.stringify({ key: token }) })
  const cookie = (await signIn()).headers.get('set-cookie')!.split(';')[0]!
  expect((await signIn()).status).toBe(401)
  const ask = (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { ...init, headers: { cookie, ...OWN } })
  expect(await (await ask('/v1/totals')).json()).toMatchObject({ total: { calls: 30 } })
  expect(await (await ask('/v1/health')).json()).toMatchObject({ ready: true, dead_letters: 0 })
  const set = await ask('/v1/limits/acme', { method: 'PUT', body: '{"usd":"5"}' })
  expect(await set.json()).toMatchObject({ limits: [{ limit_usd: '5' }] })
  running.process.kill('SIGINT')
  expect(await running.finished).toMatchObject({ exitCode: 0, stderr: '' })
  const report = JSON.parse((await run(cwd, ['report', '--dir', '.', '--json'])).stdout) as { limits: object[] }
  expect(report.limits).toMatchObject([{ tenant: 'acme', limit_usd: '5' }])
  const changes = readFileSync(join(cwd, 'changes.jsonl'), 'utf8').trim().split('\n')
  expect(changes.map((line) => JSON.parse(line) as object)).toMatchObject([{ what: 'limit.set', of: 'acme' }])
})

test('without a ledger it says how one comes about', async () => {
  const { exitCode, stderr } = await run(await folder({ isEmpty: true }), ['dashboard', '--no-open'])
  expect([exitCode, stderr]).toEqual([
    1,
    expect.stringMatching(/^There is no ledger at .* `npx tallygate demo` makes one/),
  ])
})

test('a port that was asked for and is taken is said in one sentence', async () => {
  const cwd = await folder()
  const first = started(cwd, ['dashboard', '--dir', '.', '--port', '0', '--no-open'])
  const [, port = ''] = await first.until(/:(\d+)\/#token/)
  const { exitCode, stderr } = await run(cwd, ['dashboard', '--dir', '.', '--port', port, '--no-open'])
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('Something else listens on 127.0.0.1')])
})

test('serve shows the page to everybody and the figures to whoever has a key to read', async () => {
  const cwd = await folder()
  const file = join(cwd, 'keys.json')
  writeFileSync(
    file,
    JSON.stringify({
      keys: [
        { key: 'looks', role: 'read' },
        { key: 'sends', role: 'ingest' },
      ],
    }),
  )
  chmodSync(file, 0o600)
  const running = started(cwd, ['serve', '--dir', '.', '--port', '0', '--keys', file])
  const [, url = ''] = await running.until(/new Meter\(\{ url: '([^']+)\/v1\/ingest'/)
  const page = await fetch(`${url}/`)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const status = async (key: string) =>
    (await fetch(`${url}/v1/totals`, { headers: { authorization: `Bearer ${key}` } })).status
  expect([await status('looks'), await status('sends'), await status('none')]).toEqual([200, 403, 401])
  running.process.kill('SIGTERM')
  expect((await running.finished).exitCode).toBe(0)
  expect(readFileSync(join(cwd, 'changes.jsonl'), 'utf8').match(/key\.added/g)).toHaveLength(2)
})

test('a role or a tenant that cannot be is refused at the start', async () => {
  const cwd = await folder({ isEmpty: true })
  const file = join(cwd, 'keys.json')
  const said = async (key: object) => {
    writeFileSync(file, JSON.stringify({ keys: [{ key: 'SECRET', ...key }] }))
    chmodSync(file, 0o600)
    const { exitCode, stderr } = await run(cwd, ['serve', '--port', '0', '--keys', file])
    expect([exitCode, stderr.includes('SECRET')]).toEqual([2, false])
    return stderr
  }
  expect(await said({ role: 'root' })).toContain('has a `role` that is not one of ingest, read, admin')
  expect(await said({ tenant: 'acme' })).toContain("has a `tenant`, which is for keys with `role: 'read'` alone")
  expect(await said({ rolle: 'read' })).toContain(
    'is not an object with `key` or `sha256`, `project`, `role`, `tenant`',
  )
})
