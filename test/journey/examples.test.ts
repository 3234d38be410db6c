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

test('limits with Express', async () => {
  await using emulator = await startEmulator()
  const server = run('limits-express.ts', emulator, { PORT: '0' })
  await expect.poll(server.output, { timeout: 15_000 }).toContain('listening on')
  const url = /http:\S+/.exec(server.output())![0]
  const ask = (tenant: string) => fetch(`${url}/ask`, { headers: { 'x-tenant': tenant } })
  const statuses: number[] = []
  while (!statuses.includes(402) && statuses.length < 50) statuses.push((await ask('acme')).status)
  expect(statuses[0]).toBe(200)
  expect(statuses.at(-1)).toBe(402)
  const sent = emulator.requests.length
  expect(await (await ask('acme')).json()).toEqual({
    upgrade: 'https://example.com/upgrade',
    resetsAt: new Date(new Date().setUTCHours(24, 0, 0, 0)).toISOString(),
  })
  expect(emulator.requests.length).toBe(sent)
  expect((await ask('globex')).status).toBe(200)
  server.child.kill('SIGTERM')
  await once(server.child, 'close')
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
    'manual-tracking.ts',
    'own-endpoint.ts',
    'own-provider.ts',
  ]
  expect(readdirSync(join(root, 'examples')).toSorted()).toEqual(ran.toSorted())
})
