// `tallygate serve`: the ingest endpoint and the dashboard, in front of a ledger.

import type { AlertWatch } from '../alerts/watch.ts'
import { ALERTS, openAlerts } from './alerts-watch.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { KEYS, keysOf } from './keys.ts'
import { DATABASE_URL, databaseUrlOf, type LedgerValues, openToWrite } from './ledgers.ts'
import { openLimits } from './limit-stores.ts'
import { cannotListen, portOf, stopSignal } from './listening.ts'
import { folderOf, shown } from './place.ts'
import { version } from './version.ts'
import { openViews } from './views.ts'
import { printable } from './width.ts'

const PORT = 8787

export const serve = defineCommand({
  name: 'serve',
  summary: 'An ingest endpoint and the dashboard, over one ledger.',
  about: [
    'Takes events at POST /v1/ingest and limits at /v1/limits/{tenant}, and holds the limits of all apps together at POST /v1/leases, for whoever sends the API key. An event that comes twice counts once. It speaks plain HTTP: put a proxy with TLS in front of it before other machines come in.',
    'Several of them may write into one PostgreSQL. GET /healthz says that it runs, GET /readyz that the ledger can be written, and GET /metrics, with a key, what it has done, for Prometheus. A browser finds the dashboard at its address, and signs in with a key.',
  ],
  options: {
    port: { type: 'string', value: 'number', help: `Default: ${PORT}; 0 takes any that is free.` },
    host: { type: 'string', value: 'address', help: 'Default: 127.0.0.1, this machine alone; 0.0.0.0 lets others in.' },
    ...KEYS,
    alerts: ALERTS,
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: [
    'TALLYGATE_API_KEY=$(openssl rand -hex 24) tallygate serve',
    'tallygate serve --port 9000 --dir /var/lib/tallygate',
    'tallygate serve --keys keys.json --database-url postgres://db/app',
  ],
  async run(values, { terminal, env }) {
    const { print, complain, paint } = terminal
    const apiKeys = keysOf(values, env)
    const port = portOf(values.port, PORT)
    const [{ serve }, { ledger, name, shown: place }, limitStore, { views, ...shows }] = await Promise.all([
      import('../server/serve.ts'),
      openToWrite(values, env),
      openLimits(values, env),
      openViews(values, env),
    ])
    const onProblem = ({ message }: { readonly message: string }) =>
      complain(`${new Date().toISOString()} ${printable(message)}`)
    let alerts: AlertWatch | undefined
    try {
      // Opens them: what is wrong is said now and not when the first event comes.
      await ledger.limits()
      await limitStore.changes(0)
      alerts = await openAlerts(values.alerts, values, env, { limitStore, onProblem })
      const stopped = stopSignal()
      const server = await serve({
        ledger,
        limitStore,
        views,
        ...shows,
        apiKeys,
        port,
        host: values.host,
        version: version(),
        onProblem,
      }).catch((error: NodeJS.ErrnoException) => {
        throw new Stop(1, cannotListen(error, values.host, port))
      })
      print(`Listening on ${paint('bold', server.url)}, writing to ${place}. In the apps:`)
      print()
      print(`  new Meter({ url: '${server.url}/v1/ingest', apiKey: process.env.TALLYGATE_API_KEY })`)
      print()
      const where = isInFolder(values, env) ? ` --dir ${shown(folderOf(values.dir, env))}` : ''
      print(paint('dim', `Ctrl-C stops it. To look: ${server.url}, with a key, or tallygate report${where}`))
      const signal = await stopped
      print(`${signal}: answering what is under way, then closing ${name}.`)
      await server.close()
    } finally {
      await alerts?.close()
      await limitStore.close?.()
      await ledger.close()
      // Last: a statement that SQLite is at is read to its end, however long, and by then a supervisor may kill us.
      await views.close()
    }
    return undefined
  },
})

function isInFolder(values: LedgerValues, env: NodeJS.ProcessEnv): boolean {
  return databaseUrlOf(values, env) === undefined
}
