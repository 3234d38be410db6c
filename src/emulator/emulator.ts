// The emulator as its users meet it: three ports, one script, one bill.

import { createConnection, type TcpNetConnectOpts } from 'node:net'
import { anthropicWire } from './anthropic.ts'
import { type Bill, billOf, type Charge } from './bill.ts'
import { googleWire } from './google.ts'
import { DIALECTS, hostWire } from './hosts.ts'
import { type OpenAIOptions, openaiWire } from './openai.ts'
import type { Reply } from './reply.ts'
import { replyQueue } from './reply-queue.ts'
import { type Desk, listen, type Port } from './server.ts'
import type { HostName, ProviderName, ReceivedRequest } from './wire.ts'

/**
 * How an emulator is started.
 *
 * @example
 * const emulator = await startEmulator({ ports: { openai: 4010 }, keepsProcessAlive: true })
 */
export interface EmulatorOptions extends OpenAIOptions {
  /** Default: free ports. */
  readonly ports?: Readonly<Partial<Record<ProviderName, number>>>
  /** For an emulator that is a process of its own; default `false`: it never keeps a process from ending. */
  readonly keepsProcessAlive?: boolean
  /** The clock of answers and bill; default: the real one. */
  readonly now?: () => Date
}

/** Where one of the hosts of {@link Emulator.host} answers. */
export interface EmulatedHost {
  /** For a client of openai. */
  readonly baseURL: string
  /** Without a path: for groq-sdk, and for AzureOpenAI's `endpoint`. */
  readonly origin: string
}

/**
 * What {@link startEmulator} gives.
 *
 * @example
 * let emulator: Emulator
 * beforeAll(async () => { emulator = await startEmulator() })
 * afterEach(() => emulator.reset())
 * afterAll(() => emulator.close())
 */
export interface Emulator extends AsyncDisposable {
  readonly openai: {
    readonly baseURL: string
    /**
     * For the `options` of `OpenAIRealtimeWS`, which dials `wss:` whatever the `baseURL` says, as `ResponsesWS` does not: the emulator
     * speaks no TLS, and these reach it without. `OpenAIRealtimeWebSocket`, over the WebSocket of the platform, takes no
     * such options, and needs TLS in front.
     *
     * @example
     * import { OpenAIRealtimeWS } from 'openai/realtime/ws'
     * const rt = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: emulator.openai.realtime }, client)
     */
    readonly realtime: { readonly createConnection: typeof createConnection }
  }
  readonly anthropic: { readonly baseURL: string }
  readonly google: { readonly baseURL: string }
  /** Which provider answers on which host, as `new Meter({ hosts })` takes it. */
  readonly hosts: Readonly<Record<string, string>>
  /**
   * Opens a port that answers as this host does, and gives its address; the same each time. It stands in `hosts` from then on.
   *
   * @example
   * const { baseURL } = await emulator.host('deepseek')
   */
  host(name: HostName): Promise<EmulatedHost>
  /** Everything received since the start or the last `reset()`, oldest first. */
  readonly requests: readonly ReceivedRequest[]
  /** Queues scripts for the next requests that match them. Throws a `TypeError` on a script that makes no sense. */
  reply(...replies: readonly Reply[]): void
  /** What the provider charges for what it has answered so far. */
  bill(): Bill
  /**
   * Resolves once the condition holds; it is looked at whenever a request arrives, moves on or ends.
   *
   * @example
   * await emulator.until(() => emulator.requests.every((request) => request.ended))
   */
  until(condition: () => boolean): Promise<void>
  /** Forgets scripts, requests and bill. */
  reset(): void
  /** Ends every connection, hanging ones too. */
  close(): Promise<void>
}

/**
 * Starts a stand-in for the APIs of OpenAI, Anthropic and Google on loopback, one port for each, which answers as they
 * do, breaks as they do, and keeps a bill of its own.
 *
 * @example
 * await using emulator = await startEmulator()
 * const client = new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'any' })
 * emulator.reply({ text: 'Hello.', cachedTokens: 1024 })
 * await client.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] })
 * emulator.bill().usd
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { ports = {}, keepsProcessAlive = false, now = () => new Date() } = options
  const requests: ReceivedRequest[] = []
  const charges: Charge[] = []
  const replies = replyQueue()
  const waiting = new Set<{ look(): void; giveUp(): void }>()
  let serial = 0

  const desk: Desk = {
    nextSerial: () => String(++serial).padStart(8, '0'),
    now,
    note: (request) => void requests.push(request),
    receive(request) {
      requests.push(request)
      return replies.take(request)
    },
    charge: (charge) => void charges.push(charge),
    changed() {
      for (const waiter of waiting) waiter.look()
    },
  }

  const wires = { openai: openaiWire(options), anthropic: anthropicWire(), google: googleWire() }
  const opened: Port[] = []
  const open = async (name: ProviderName) => {
    const port = await listen(wires[name], desk, ports[name] ?? 0, keepsProcessAlive)
    opened.push(port)
    return port.host
  }
  const hosts: Record<string, string> = {}
  const dialects = new Map<HostName, Promise<EmulatedHost>>()
  const openHost = async (name: HostName): Promise<EmulatedHost> => {
    const port = await listen(hostWire(name), desk, 0, keepsProcessAlive)
    opened.push(port)
    const { provider, base } = DIALECTS[name]
    if (provider !== undefined) hosts[port.host] = provider
    return { baseURL: `http://${port.host}${base}`, origin: `http://${port.host}` }
  }
  let isClosed = false
  const close = async () => {
    isClosed = true
    await Promise.all(opened.map((port) => port.close()))
    for (const waiter of waiting) waiter.giveUp()
  }
  try {
    const [openai, anthropic, google] = [await open('openai'), await open('anthropic'), await open('google')]
    Object.assign(hosts, { [openai]: 'openai', [anthropic]: 'anthropic', [google]: 'google' })
    return {
      openai: { baseURL: `http://${openai}/v1`, realtime: { createConnection: connectPlainly } },
      anthropic: { baseURL: `http://${anthropic}` },
      google: { baseURL: `http://${google}` },
      hosts,
      host(name) {
        let opening = dialects.get(name)
        if (!opening) dialects.set(name, (opening = openHost(name)))
        return opening
      },
      requests,
      reply: (...more) => replies.add(more),
      bill: () => billOf(charges),
      until: (condition) =>
        new Promise((resolve, reject) => {
          const settle = (how: () => void) => {
            waiting.delete(waiter)
            how()
          }
          const waiter = {
            look() {
              try {
                if (condition()) settle(resolve)
              } catch (error) {
                settle(() => reject(error))
              }
            },
            giveUp: () => settle(() => reject(new Error('The emulator was closed before the condition held.'))),
          }
          waiting.add(waiter)
          waiter.look()
          if (isClosed && waiting.has(waiter)) waiter.giveUp()
        }),
      reset() {
        requests.length = 0
        charges.length = 0
        replies.clear()
      },
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** What ws would do for `ws:`; its options have the path of the address, which `node:net` would take for that of a pipe. */
const connectPlainly = (({ host, port }: TcpNetConnectOpts) =>
  createConnection({ port, ...(host !== undefined && { host }) })) as typeof createConnection
