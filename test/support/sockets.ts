// What the tests of WebSockets share: a meter, the emulator, and TLS in front of it, since Realtime dials nothing else.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import type { LLMEvent } from '../../src/event.ts'
import { Meter } from '../../src/meter.ts'
import type { MeterOptions } from '../../src/options.ts'
import type { Problem } from '../../src/problems.ts'
import { memorySink } from '../../src/sinks/memory.ts'

/** A file of the openai that an app resolves, in its ESM or its CommonJS build. */
export async function openaiFile<T>(app: '' | 'apps/next', format: 'mjs' | 'js', file: string): Promise<T> {
  const require = createRequire(new URL(`../${app === '' ? '..' : app}/package.json`, import.meta.url))
  const path = require.resolve('openai').replace(/[^/]+$/, `${file}.${format}`)
  return (format === 'mjs' ? await import(pathToFileURL(path).href) : require(path)) as T
}

export interface Front extends AsyncDisposable {
  readonly host: string
  readonly ca: string
}

/** TLS with a certificate of its own making, passed on to a plain port. */
export async function tlsFront(to: string): Promise<Front> {
  const { key, cert } = certificate()
  const [host = '', port] = to.split(':')
  const open = new Set<Socket>()
  const server = createServer({ key, cert }, (outer) => {
    const inner = connect(Number(port), host)
    for (const [from, into] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      open.add(from)
      from.on('error', () => into.destroy())
      from.on('close', () => into.destroy())
      from.pipe(into)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: cert,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

let made: { key: string; cert: string } | undefined

function certificate(): { key: string; cert: string } {
  if (made) return made
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  made = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  rmSync(folder, { recursive: true })
  return made
}

export interface Talking extends AsyncDisposable {
  readonly meter: Meter
  readonly emulator: Emulator
  readonly front: Front
  readonly problems: Problem[]
  events(): Promise<readonly LLMEvent[]>
}

/** Nothing is patched yet. */
export async function talking(options: MeterOptions = {}): Promise<Talking> {
  const emulator = await startEmulator()
  const front = await tlsFront(new URL(emulator.openai.baseURL).host)
  const sink = memorySink()
  const problems: Problem[] = []
  const meter = new Meter({
    // The emulator gives the same ids again, and what was recorded once is not recorded twice.
    dir: mkdtempSync(join(tmpdir(), 'tallygate-sockets-')),
    sinks: [sink],
    onProblem: (problem) => problems.push(problem),
    ...options,
    hosts: { ...emulator.hosts, [front.host]: 'openai' },
  })
  return {
    meter,
    emulator,
    front,
    problems,
    async events() {
      await meter.flush()
      return sink.events
    },
    async [Symbol.asyncDispose]() {
      await meter.close()
      await front[Symbol.asyncDispose]()
      await emulator.close()
    },
  }
}

interface Emitting {
  // biome-ignore lint/suspicious/noExplicitAny: each class has its own map of events
  on(event: any, listener: any): unknown
}

/** Every message of the provider, and every error, as the application gets them. */
export function heard(connection: Emitting) {
  const messages: Record<string, unknown>[] = []
  const errors: Error[] = []
  const waiting = new Set<() => void>()
  const look = () => {
    for (const check of waiting) check()
  }
  connection.on('event', (message: never) => {
    messages.push(message)
    look()
  })
  connection.on('error', (error: never) => {
    errors.push(error)
    look()
  })
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  return {
    messages,
    errors,
    until,
    /** So many messages of that type have come. */
    type: (type: string, count = 1) =>
      until(() => messages.filter((message) => message['type'] === type).length >= count),
    error: () => until(() => errors.length > 0),
  }
}
