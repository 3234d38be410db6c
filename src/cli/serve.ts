// `tallygate serve`: the ingest endpoint, in front of a ledger.

import { resolveOptions } from '../options.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, databaseUrlOf, type LedgerValues, openToWrite } from './ledgers.ts'
import { folderOf, shown } from './place.ts'
import { printable } from './width.ts'

const PORT = 8787

export const serve = defineCommand({
  name: 'serve',
  summary: 'An ingest endpoint for other processes, into the same ledger.',
  about: [
    'Takes events at POST /v1/ingest and limits at /v1/limits/{tenant}, for whoever sends the API key. An event that comes twice counts once. It speaks plain HTTP: put a proxy with TLS in front of it before other machines come in.',
  ],
  options: {
    port: { type: 'string', value: 'number', help: `Default: ${PORT}; 0 takes any that is free.` },
    host: { type: 'string', value: 'address', help: 'Default: 127.0.0.1, this machine alone; 0.0.0.0 lets others in.' },
    'api-key': {
      type: 'string',
      value: 'key',
      multiple: true,
      help: 'A key that opens the endpoint; several are for changing them. Default: $TALLYGATE_API_KEY.',
    },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: [
    'TALLYGATE_API_KEY=$(openssl rand -hex 24) tallygate serve',
    'tallygate serve --port 9000 --dir /var/lib/tallygate',
  ],
  async run(values, { terminal, env }) {
    const { print, complain, paint } = terminal
    const apiKeys = keysOf(values['api-key'], env)
    const port = portOf(values.port)
    const [{ serve }, { ledger, name, shown: place }] = await Promise.all([
      import('../server/serve.ts'),
      openToWrite(values, env),
    ])
    try {
      // Opens it: what is wrong with the ledger is said now and not when the first event comes.
      await ledger.limits()
      const stopped = stopSignal()
      const server = await serve({
        ledger,
        apiKeys,
        port,
        host: values.host,
        onProblem: ({ message }) => complain(`${new Date().toISOString()} ${printable(message)}`),
      }).catch((error: NodeJS.ErrnoException) => {
        throw new Stop(1, cannotListen(error, values.host, port))
      })
      print(`Listening on ${paint('bold', server.url)}, writing to ${place}. In the apps:`)
      print()
      print(`  new Meter({ url: '${server.url}/v1/ingest', apiKey: process.env.TALLYGATE_API_KEY })`)
      print()
      const where = isInFolder(values, env) ? ` --dir ${shown(folderOf(values.dir, env))}` : ''
      print(paint('dim', `Ctrl-C stops it. To look: tallygate report${where}`))
      const signal = await stopped
      print(`${signal}: answering what is under way, then closing ${name}.`)
      await server.close()
    } finally {
      await ledger.close()
    }
    return undefined
  },
})

function isInFolder(values: LedgerValues, env: NodeJS.ProcessEnv): boolean {
  return databaseUrlOf(values, env) === undefined
}

function keysOf(given: readonly string[] | undefined, { TALLYGATE_API_KEY }: NodeJS.ProcessEnv): readonly string[] {
  const { apiKey } = resolveOptions({}, { TALLYGATE_API_KEY })
  const keys = given ?? (apiKey === undefined ? [] : [apiKey])
  if (keys.length === 0)
    throw new Stop(
      2,
      'An API key is needed, so that nobody else can write into the ledger: set TALLYGATE_API_KEY, to the output of `openssl rand -hex 24` for example, or give `--api-key <key>`.',
    )
  if (keys.some((key) => /\s/.test(key))) throw new Stop(2, 'An API key is one word: it cannot have spaces.')
  return keys
}

function portOf(text: string | undefined): number {
  if (text === undefined) return PORT
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new Stop(2, `\`--port\` takes a whole number up to 65535; got ${JSON.stringify(text)}.`)
  return port
}

function cannotListen({ code, message }: NodeJS.ErrnoException, host = '127.0.0.1', port: number): string {
  const where = `${host}:${port}`
  if (code === 'EADDRINUSE') return `Something else listens on ${where} already: choose another \`--port\`.`
  if (code === 'EACCES') return `This user may not listen on ${where}: choose a \`--port\` above 1023.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `This machine has no address ${host}: choose another \`--host\`.`
  return `It cannot listen on ${where}: ${message}.`
}

/** Resolves to the first signal that asks for an end; a second one ends the process at once, as if nobody listened. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal))
  })
}
