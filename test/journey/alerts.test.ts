// Alerts and logs from the command line as a user has it: a server that tells a webhook, cron that does, a pipe that fills a ledger.

import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { verifyAlert } from 'tallygate/alerts'
import { expect, onTestFinished, test, vi } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'

const KEY = 'a-key-of-the-test'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

interface Received {
  readonly notices: { status: string; key: string; message: string }[]
  readonly url: string
  /** The next answers; 204 afterwards. */
  readonly statuses: number[]
}

async function receiver(secret: string): Promise<Received> {
  const notices: Received['notices'] = []
  const statuses: number[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      if (!verifyAlert(body, request.headers['tallygate-signature'] as string, secret)) response.writeHead(401).end()
      else {
        const status = statuses.shift() ?? 204
        if (status < 300) notices.push(JSON.parse(body) as Received['notices'][number])
        response.writeHead(status).end()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { notices, statuses, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

/** A ledger with a model that nobody has a price of. */
async function unpriced(cwd: string): Promise<void> {
  const line = {
    timestamp: new Date().toISOString(),
    provider: 'openai',
    model: 'nobody-knows',
    input_tokens: 5,
    output_tokens: 1,
  }
  writeFileSync(join(cwd, 'calls.jsonl'), JSON.stringify(line))
  expect((await run(cwd, ['import', 'calls.jsonl'])).stdout).toMatch(
    /^1 rows: 1 events added to \.tallygate\/ledger\.db/,
  )
}

function config(cwd: string, url: string): string {
  const path = join(cwd, 'alerts.json')
  writeFileSync(path, JSON.stringify({ to: [{ webhook: url, secret: 'env:ALERT_SECRET' }] }))
  return path
}

test('`serve --alerts` tells a webhook as it starts, and does not again when it starts anew', async () => {
  const cwd = folder()
  await unpriced(cwd)
  const hook = await receiver('s3')
  const env = { TALLYGATE_API_KEY: KEY, ALERT_SECRET: 's3' }
  for (let time = 0; time < 2; time++) {
    const server = start(cwd, ['serve', '--port', '0', '--alerts', config(cwd, hook.url)], env)
    onTestFinished(() => void server.process.kill('SIGKILL'))
    await server.until(/Listening on /)
    await vi.waitUntil(() => hook.notices.length > 0, PATIENT)
    server.process.kill('SIGTERM')
    expect(await server.finished).toMatchObject({ exitCode: 0, stderr: '' })
  }
  const once = await run(cwd, ['alerts', '--once', '--json'], { ...env, TALLYGATE_ALERTS: config(cwd, hook.url) })
  expect(JSON.parse(once.stdout)).toEqual({ firing: 1, told: 0, failed: 0 })
  expect(hook.notices.map(({ status, key }) => `${status} ${key}`)).toEqual(['firing unpriced:openai/nobody-knows'])
})

test('`alerts --once` fails where nobody hears, and says what is wrong with its file', async () => {
  const cwd = folder()
  await unpriced(cwd)
  const hook = await receiver('s3')
  hook.statuses.push(500)
  const path = config(cwd, hook.url)
  const deaf = await run(cwd, ['alerts', '--once', '--config', path], { ALERT_SECRET: 's3' })
  expect([deaf.exitCode, deaf.stdout]).toEqual([1, '1 alert; 0 told, 1 failed.\n'])
  expect(deaf.stderr).toMatch(/The webhook at 127\.0\.0\.1:\d+ answered 500\.\n$/)
  const nobody = await run(cwd, ['alerts', '--once', '--config', path])
  expect([nobody.exitCode, nobody.stderr]).toEqual([
    1,
    `${path}: \`to.0.secret\` is to be found in the environment, where ALERT_SECRET is not set.\n`,
  ])
  expect((await run(cwd, ['alerts'])).stderr).toMatch(/^`alerts` needs `--config <file>`/)
  expect((await run(folder(), ['alerts', '--config', path])).stderr).toMatch(/^There is no ledger at /)
})

test('a log goes in by a pipe, packed, and comes out the same', async () => {
  const cwd = folder()
  const log = gzipSync(readFileSync(join(root, 'test/fixtures/import/bedrock.jsonl')))
  const args = [join(root, 'dist/cli/main.js'), 'import', '--format', 'bedrock', '--json', '-']
  const child = spawn(process.execPath, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stdin.end(log)
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ file: 'standard input', rows: 4, added: 4, cost_usd: '0.017292' })
  const { stdout } = await run(cwd, ['export'])
  expect(stdout.split('\n').length).toBe(5)
  expect(readFileSync(join(cwd, '.tallygate/ledger.db')).includes('lark')).toBe(false)
})
