// Every example runs as it stands, with the real SDKs, against the emulator.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmulator } from 'tallygate/emulator'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

function run(example: string, emulator: Awaited<ReturnType<typeof startEmulator>>, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(root, 'examples', example)], {
    cwd: root,
    env: {
      ...process.env,
      NODE_NO_WARNINGS: '1',
      OPENAI_API_KEY: 'key',
      ANTHROPIC_API_KEY: 'key',
      OPENAI_BASE_URL: emulator.openai.baseURL,
      ANTHROPIC_BASE_URL: emulator.anthropic.baseURL,
      TALLYGATE_DIR: mkdtempSync(join(tmpdir(), 'tallygate-example-')),
      TALLYGATE_HOSTS: Object.entries(emulator.hosts)
        .map(([host, provider]) => `${host}=${provider}`)
        .join(','),
      ...env,
    },
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  return { child, output: () => output }
}

async function finished({ child, output }: { child: ChildProcess; output: () => string }): Promise<string> {
  const [code] = await once(child, 'close')
  expect(code, output()).toBe(0)
  return output()
}

test('quickstart', async () => {
  await using emulator = await startEmulator()
  emulator.reply({ text: 'Hello to you, dear friend.' })
  expect(await finished(run('quickstart.ts', emulator))).toBe('Hello to you, dear friend.\n')
})

test('streaming', async () => {
  await using emulator = await startEmulator()
  emulator.reply({ text: 'Rhine, Nile and Amazon' }, { text: 'Eiger, Mönch and Jungfrau' })
  const output = await finished(run('streaming.ts', emulator))
  expect(output).toContain('Rhine, Nile and Amazon')
  expect(output).toMatch(/\[openai: \d+ in, \d+ out, reported, \$0\.0\d+\]/)
  expect(output).toMatch(/\[anthropic: \d+ in, \d+ out, partial, \$0\.0\d+\]/)
})

/** Starts the server of an example, and asks it in acme's name until acme's money is spent. */
async function untilRefused(example: string, emulator: Awaited<ReturnType<typeof startEmulator>>, headers = byTenant) {
  const server = run(example, emulator, { PORT: '0' })
  await expect.poll(server.output).toContain('listening on')
  const url = /http:\S+/.exec(server.output())![0]
  const ask = (tenant: string, more: Record<string, string> = {}) =>
    fetch(`${url}/ask`, { headers: { ...headers(tenant), ...more } })
  const statuses: number[] = []
  while (!statuses.includes(402) && statuses.length < 50) statuses.push((await ask('acme')).status)
  expect([statuses[0], statuses.at(-1)], server.output()).toEqual([200, 402])
  return {
    ask,
    async [Symbol.asyncDispose]() {
      server.child.kill('SIGTERM')
      await once(server.child, 'close')
    },
  }
}

const byTenant = (tenant: string): Record<string, string> => ({ 'x-tenant': tenant })
const midnight = () => new Date(new Date().setUTCHours(24, 0, 0, 0)).toISOString()

test.each([
  ['limits-express.ts', byTenant],
  ['limits-fastify.ts', (tenant: string) => ({ authorization: `${tenant}-key` })],
  ['limits-hono.ts', byTenant],
  ['limits-next.ts', byTenant],
  ['limits-http.ts', byTenant],
])('%s', async (example, headers) => {
  await using emulator = await startEmulator()
  await using server = await untilRefused(example, emulator, headers)
  const sent = emulator.requests.length
  const refused = await server.ask('acme', { accept: 'application/json' })
  expect(refused.status).toBe(402)
  expect(await refused.json()).toMatchObject({
    error: { code: 'LIMIT_EXCEEDED', tenantId: 'acme', limitUsd: '0.0005', window: 'day', resetsAt: midnight() },
  })
  expect(emulator.requests.length).toBe(sent)
  expect((await server.ask('globex')).status).toBe(200)
})

test('limits with Express: a person gets a page to upgrade on', async () => {
  await using emulator = await startEmulator()
  await using server = await untilRefused('limits-express.ts', emulator)
  const page = await server.ask('acme', { accept: 'text/html' })
  expect([page.status, await page.text()]).toEqual([402, expect.stringContaining('$0.0005: upgrade')])
})

test('manual tracking', async () => {
  await using emulator = await startEmulator()
  const output = await finished(run('manual-tracking.ts', emulator))
  // 512 tokens at $2.50 and 128 at $10.00 a million, and the four cents that were reported.
  expect(output).toBe('0.04256 of 1 USD per month\n')
})

test('an ingest endpoint of your own', async () => {
  await using emulator = await startEmulator()
  expect(await finished(run('own-endpoint.ts', emulator))).toBe('{ acme: 2, globex: 1 }\n')
})

test('a provider of your own', async () => {
  await using emulator = await startEmulator()
  expect(await finished(run('own-provider.ts', emulator))).toBe(
    'acme: muse muse-1 verses, 12 in, 5 out, $0.0017\nThe sea is deep.\n',
  )
})

test('every example is run here', () => {
  const ran = [
    'quickstart.ts',
    'streaming.ts',
    'limits-express.ts',
    'limits-fastify.ts',
    'limits-hono.ts',
    'limits-next.ts',
    'limits-http.ts',
    'manual-tracking.ts',
    'own-endpoint.ts',
    'own-provider.ts',
  ]
  expect(readdirSync(join(root, 'examples')).toSorted()).toEqual(ran.toSorted())
})
