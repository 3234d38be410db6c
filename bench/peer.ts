// What a benchmark talks to, in a process of its own: the provider emulator, or an endpoint for events.

import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'tallygate/emulator'
import { serve } from 'tallygate/server'
import { postgresLedger, sqliteLedger } from 'tallygate/sinks'

export const API_KEY = 'bench'

export interface Peer {
  readonly addresses: Readonly<Record<string, string>>
  /** What its process has used so far. */
  cpuMicros(): Promise<number>
  stop(): void
}

type Addresses = Record<string, string>

const KINDS = {
  async emulator(): Promise<Addresses> {
    const emulator = await startEmulator({ keepsProcessAlive: true })
    // It remembers every request, which a benchmark has too many of.
    setInterval(() => emulator.reset(), 1000)
    return {
      openai: emulator.openai.baseURL,
      anthropic: emulator.anthropic.baseURL,
      google: emulator.google.baseURL,
    }
  },

  /** Takes whatever comes and says so; of limits it knows nothing. */
  async sponge(): Promise<Addresses> {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(request.method === 'POST' ? 202 : 404).end())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { ingest: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ingest` }
  },

  /** `tallygate serve`, with its ledger at the path given, or in the PostgreSQL of a URL. */
  async server(place: string): Promise<Addresses> {
    const ledger = place.startsWith('postgres:')
      ? postgresLedger({ databaseUrl: place })
      : sqliteLedger({ path: place })
    const { url } = await serve({ ledger, apiKeys: [API_KEY] })
    return { ingest: `${url}/v1/ingest` }
  },
} satisfies Record<string, (argument: string) => Promise<Addresses>>

export function startPeer(kind: keyof typeof KINDS, argument = ''): Promise<Peer> {
  const child = fork(fileURLToPath(import.meta.url), [kind, argument])
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The ${kind} ended with ${code}.`)))
    const next = () => new Promise<unknown>((heard) => child.once('message', heard))
    const cpuMicros = () => {
      const heard = next()
      child.send('cpu')
      return heard as Promise<number>
    }
    void next().then((addresses) =>
      resolve({ addresses: addresses as Addresses, cpuMicros, stop: () => child.disconnect() }),
    )
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kind, argument = ''] = process.argv.slice(2)
  process.send?.(await KINDS[kind as keyof typeof KINDS](argument))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.on('disconnect', () => process.exit(0))
}
