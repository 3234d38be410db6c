// "npx tallygate serve": one process receives, others send, and what they sent is in the report.

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { Meter } from 'tallygate'
import { expect, onTestFinished, test } from 'vitest'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

const KEY = 'a-key-of-the-test'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

async function serving(cwd: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = { TALLYGATE_API_KEY: KEY }) {
  const running = start(cwd, ['serve', '--port', '0', ...args], env)
  onTestFinished(() => void running.process.kill('SIGKILL'))
  const [, url = ''] = await running.until(/new Meter\(\{ url: '([^']+)', apiKey: process\.env\.TALLYGATE_API_KEY \}\)/)
  return { ...running, url }
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a meter elsewhere sends to it, and after %s the report has it',
  async (signal) => {
    const cwd = folder()
    const server = await serving(cwd)
    const problems: string[] = []
    const meter = new Meter({ url: server.url, apiKey: KEY, onProblem: ({ message }) => problems.push(message) })
    await meter.setLimit('acme', { usd: '0.5', per: 'day' })
    meter.trackManually({
      provider: 'openai',
      model: 'gpt-6-sol',
      inputTokens: 1000,
      outputTokens: 100,
      tenantId: 'acme',
    })
    await meter.flush()
    expect(await meter.limits('acme')).toMatchObject([{ limitUsd: '0.5', spentUsd: '0.003' }])
    await meter.close()
    expect(problems).toEqual([])

    server.process.kill(signal)
    const { exitCode, stdout, stderr } = await server.finished
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).not.toContain(KEY)
    const report = await run(cwd, ['report', '--json'])
    expect(JSON.parse(report.stdout)).toMatchObject({
      rows: [{ tenant: 'acme', calls: 1, cost_usd: '0.003' }],
      limits: [{ tenant: 'acme', window: 'day', spent_usd: '0.003', remaining_usd: '0.497' }],
    })
  },
)

test('every key that was given opens it, and no other does', async () => {
  const server = await serving(folder(), ['--api-key', 'old-key', '--api-key', 'new-key'])
  const status = async (key: string) =>
    (await fetch(server.url.replace('ingest', 'limits/acme'), { headers: { authorization: `Bearer ${key}` } })).status
  expect(await Promise.all(['old-key', 'new-key', KEY, 'wrong'].map(status))).toEqual([200, 200, 401, 401])
})

test.each([
  ['no key', [], {}, 2, /^An API key is needed, .*`--api-key <key>` or `--keys <file>`\.\n$/],
  ['an empty key', [], { TALLYGATE_API_KEY: '' }, 2, /^An API key is needed, /],
  [
    'a key of two words',
    ['--api-key', 'two words'],
    {},
    2,
    /^Key 1 of `--api-key` is not a string of visible ASCII characters without spaces\.\n$/,
  ],
  [
    'a port that cannot be',
    ['--api-key', 'k', '--port', '70000'],
    {},
    2,
    /^`--port` takes a whole number up to 65535; got "70000"\.\n$/,
  ],
])('%s is refused in one sentence', async (_, args, env, exitCode, sentence) => {
  expect(await run(folder(), ['serve', ...args], env)).toEqual({
    exitCode,
    stdout: '',
    stderr: expect.stringMatching(sentence),
  })
})

test('a port that is taken is said in one sentence', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  expect(await run(folder(), ['serve', '--api-key', 'k', '--port', String(port)])).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `Something else listens on 127.0.0.1:${port} already: choose another \`--port\`.\n`,
  })
})
