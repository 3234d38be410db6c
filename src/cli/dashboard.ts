// `tallygate dashboard`: the ledger of this machine in the browser of this machine.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, openToChange } from './ledgers.ts'
import { openLimits } from './limit-stores.ts'
import { cannotListen, portOf, stopSignal } from './listening.ts'
import { version } from './version.ts'
import { openViews } from './views.ts'
import { printable } from './width.ts'

const PORT = 8788
/** Nobody but this machine: what comes in over the token may change limits. */
const HOST = '127.0.0.1'

export const dashboard = defineCommand({
  name: 'dashboard',
  summary: 'The ledger in a browser: spend, tenants, models, events, limits, health.',
  about: [
    'Listens on this machine alone, prints an address and opens it. The address works once; the browser stays signed in for twelve hours, or until the command ends. Limits that are set there hold for applications with the same ledger.',
    'For other machines there is `tallygate serve`, which shows the same pages to whoever has a key.',
  ],
  options: {
    port: { type: 'string', value: 'number', help: `Default: ${PORT}, or any that is free; 0 takes any.` },
    'no-open': { type: 'boolean', help: 'Print the address only.' },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: ['tallygate dashboard', 'tallygate dashboard --dir /var/lib/tallygate --no-open'],
  async run(values, { terminal, env }) {
    const { print, complain, paint } = terminal
    const port = portOf(values.port, PORT)
    const [{ serve }, { ledger, shown }] = await Promise.all([import('../server/serve.ts'), openToChange(values, env)])
    const [limitStore, { views, ...shows }] = await Promise.all([openLimits(values, env), openViews(values, env)])
    try {
      await ledger.limits()
      const token = randomBytes(24).toString('base64url')
      const options = {
        ledger,
        limitStore,
        views,
        ...shows,
        // Nobody has it: the token is what opens.
        apiKeys: [{ key: randomBytes(24).toString('base64url') }],
        oneTimeToken: token,
        notesKeys: false,
        host: HOST,
        version: version(),
        onProblem: ({ message }: { readonly message: string }) => complain(printable(message)),
      }
      const stopped = stopSignal()
      const listen = (port: number) => serve({ ...options, port })
      const server = await listen(port)
        .catch((error: NodeJS.ErrnoException) => {
          // Another dashboard, most likely: nobody has asked for this port.
          if (error.code === 'EADDRINUSE' && values.port === undefined) return listen(0)
          throw error
        })
        .catch((error: NodeJS.ErrnoException) => {
          throw new Stop(1, cannotListen(error, HOST, port))
        })
      const address = `${server.url}/#token=${token}`
      print(`The dashboard of ${shown}:`)
      print()
      print(`  ${paint('bold', address)}`)
      print()
      print(paint('dim', 'The address works once. Ctrl-C stops it.'))
      if (!values['no-open'] && process.stdout.isTTY) open(address)
      await stopped
      await server.close()
    } finally {
      await limitStore.close?.()
      await ledger.close()
      // Last, as in `serve`: what is being read is read to its end.
      await views.close()
    }
    return undefined
  },
})

const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
}

/** Where there is no browser, the address on the terminal is enough. */
function open(address: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open']
  spawn(program, [...args, address], { stdio: 'ignore', detached: true })
    .once('error', () => undefined)
    .unref()
}
