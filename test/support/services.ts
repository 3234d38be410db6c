// Throw-away PostgreSQL and Redis servers on free ports of this machine, started once for a test file.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../../scripts/services.mjs'

export interface Service extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** As if the machine had failed; `start` brings it back with what it had written. */
  kill(): Promise<void>
  start(): Promise<void>
}

/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534

export async function startPostgres(): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'tallygate-postgres-'))
  const who = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if (who.uid !== undefined) chownSync(directory, who.uid, who.gid)
  const options = { ...who, cwd: directory, env: { PATH: process.env.PATH, HOME: directory, LC_ALL: 'C' } }
  const data = join(directory, 'data')
  const setUp = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  execFileSync(findProgram('initdb'), setUp, { ...options, stdio: 'pipe' })
  const port = await freePort()
  const settings = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=60']
  const flags = [
    '-D',
    data,
    '-p',
    String(port),
    '-h',
    '127.0.0.1',
    '-k',
    directory,
    ...settings.flatMap((it) => ['-c', it]),
  ]
  return running({
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    directory,
    stopSignal: 'SIGINT',
    spawn: () => spawn(findProgram('postgres'), flags, { ...options, stdio: ['ignore', 'ignore', 'pipe'] }),
    isReady: 'ready to accept connections',
  })
}

export async function startRedis(...flags: string[]): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'tallygate-redis-'))
  const port = await freePort()
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory]
  return running({
    port,
    url: `redis://127.0.0.1:${port}`,
    directory,
    stopSignal: 'SIGTERM',
    spawn: () => spawn(findProgram('redis-server'), [...own, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] }),
    isReady: 'Ready to accept connections',
  })
}

interface Running {
  readonly port: number
  readonly url: string
  readonly directory: string
  readonly stopSignal: NodeJS.Signals
  readonly spawn: () => ReturnType<typeof spawn>
  /** What it says when it is. */
  readonly isReady: string
}

async function running({ port, url, directory, stopSignal, spawn, isReady }: Running): Promise<Service> {
  let child: ReturnType<typeof spawn> | undefined

  async function start(): Promise<void> {
    const started = spawn()
    child = started
    let said = ''
    await new Promise<void>((resolve, reject) => {
      const listen = (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes(isReady)) resolve()
      }
      started.stdout?.on('data', listen)
      started.stderr?.on('data', listen)
      started.once('error', reject)
      started.once('exit', () => reject(new Error(`It ended before it was ready:\n${said}`)))
    })
  }

  async function stop(signal: NodeJS.Signals): Promise<void> {
    const stopping = child
    child = undefined
    if (!stopping || stopping.exitCode !== null) return
    const gone = once(stopping, 'exit')
    stopping.kill(signal)
    await gone
  }

  await start()
  return {
    port,
    url,
    start,
    kill: () => stop(stopSignal === 'SIGINT' ? 'SIGQUIT' : 'SIGKILL'),
    async [Symbol.asyncDispose]() {
      await stop(stopSignal)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
