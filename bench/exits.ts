// What of a thousand events is lost with each end of a process, by tallygate and by three clients that many use:
// `npm run bench:exits`, `npm run bench:exits -- signal`. What it compares with is installed by
// `npm ci --no-workspaces` in tools/exits.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const root = join(import.meta.dirname, '..')
const tools = join(root, 'tools/exits')
if (!existsSync(join(tools, 'node_modules'))) {
  console.error('Install what it compares with first: `npm ci --no-workspaces` in tools/exits.')
  process.exit(1)
}

const CLIENTS = ['tallygate', 'opentelemetry', 'posthog', 'segment'] as const
const ENDS: readonly (readonly [title: string, end: string, signal?: NodeJS.Signals])[] = [
  ['the end of its work', 'natural'],
  ['`process.exit(0)`', 'exit'],
  ['an uncaught error', 'error'],
  ['an unhandled rejection', 'rejection'],
  ['SIGTERM', 'signal', 'SIGTERM'],
  ['SIGKILL', 'signal', 'SIGKILL'],
  ['an outage of 20 s, then a shutdown', 'outage'],
]
const EVENTS = 1000
const OUTAGE_EVENTS = 5000
const OUTAGE_MS = 20_000

/** Takes what any of them sends, and notes which events have come. */
async function receiver() {
  const ids = new Set<string>()
  let downUntil = 0
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return
    }
    if (performance.now() < downUntil) {
      response.writeHead(503).end()
      return
    }
    const body = Buffer.concat(chunks)
    const text = (body[0] === 0x1f ? gunzipSync(body) : body).toString('utf8')
    for (const [id] of text.matchAll(/exit-\d+/g)) ids.add(id)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ids,
    isDownFor: (ms: number) => void (downUntil = performance.now() + ms),
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

interface Loss {
  readonly lost: number
  /** Had not come when the process was over, and came with the next. */
  readonly later: number
}

async function lossOf(client: string, end: string, signal: NodeJS.Signals | undefined): Promise<Loss> {
  const dir = mkdtempSync(join(tmpdir(), 'tallygate-exits-'))
  using server = await receiver()
  const count = end === 'outage' ? OUTAGE_EVENTS : EVENTS
  if (end === 'outage') server.isDownFor(OUTAGE_MS)
  const child = spawn(
    process.execPath,
    ['--no-warnings', join(tools, 'app.mjs'), client, end, server.url, String(count), dir],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: dir,
    },
  )
  child.stdout.on('data', (chunk) => {
    if (signal && String(chunk).includes('ready')) child.kill(signal)
  })
  await once(child, 'close')
  const sent = server.ids.size
  // As the next process does that starts in this folder.
  if (client === 'tallygate' && existsSync(join(dir, 'spool'))) await drain(dir, server.url)
  rmSync(dir, { recursive: true })
  return { lost: count - server.ids.size, later: server.ids.size - sent }
}

async function drain(dir: string, url: string): Promise<void> {
  const cli = join(root, 'dist/cli/main.js')
  const child = spawn(process.execPath, [cli, 'drain', '--dir', dir, '--url', `${url}/v1/ingest`, '--api-key', 'key'])
  await once(child, 'close')
}

console.log(`Node ${process.version}; ${EVENTS} events one after the other, ${OUTAGE_EVENTS} in 15 s with the outage\n`)
console.log(`| lost, when the process ends by | ${CLIENTS.join(' | ')} | of tallygate's, with the next process |`)
console.log(`|${' --- |'.repeat(CLIENTS.length + 2)}`)
let ours = 0
for (const [title, end, signal] of ENDS) {
  if (process.argv.length > 2 && !process.argv.slice(2).some((word) => end === word || signal === word)) continue
  const losses: Loss[] = []
  for (const client of CLIENTS) losses.push(await lossOf(client, end, signal))
  ours += losses[0]!.lost
  console.log(`| ${title} | ${losses.map(({ lost }) => lost).join(' | ')} | ${losses[0]!.later} |`)
}
process.exitCode = ours > 0 ? 1 : 0
