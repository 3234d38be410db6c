// `tallygate alerts`: tells webhooks and channels when the ledger says that something is wrong.

import { ALERTS, openAlerts } from './alerts-watch.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, openToRead } from './ledgers.ts'
import { openLimits } from './limit-stores.ts'
import { stopSignal } from './listening.ts'
import { printable } from './width.ts'

export const alerts = defineCommand({
  name: 'alerts',
  summary: 'Tell webhooks of limits, odd spend and missing prices.',
  about: [
    'Looks at the ledger as `tallygate serve --alerts` does, for ledgers that no server stands before. What was told stands in the ledger: each alert is told once, and once more when it is over, however often this is started. With --once it looks once, for cron; the exit code is 1 where something could not be told, and the next run tries again.',
  ],
  options: {
    config: ALERTS,
    once: { type: 'boolean', help: 'Look once and stop.' },
    json: { type: 'boolean', help: 'With --once, print `firing`, `told` and `failed` as JSON.' },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: ['tallygate alerts --config alerts.json', '*/5 * * * * tallygate alerts --config alerts.json --once'],
  async run({ config, once = false, json = false, ...values }, { terminal, env }) {
    const { print, complain } = terminal
    // One that is not there is an error here, and not one a minute.
    const { ledger, shown } = await openToRead(values, env)
    try {
      await ledger.limits()
    } finally {
      await ledger.close()
    }
    const limitStore = await openLimits(values, env)
    const watch = await openAlerts(config, values, env, {
      limitStore,
      isOnce: once,
      onProblem: ({ message }) => complain(`${new Date().toISOString()} ${printable(message)}`),
    })
    if (watch === undefined) {
      await limitStore.close?.()
      throw new Stop(
        2,
        '`alerts` needs `--config <file>`, or $TALLYGATE_ALERTS: docs/alerts.md says what stands in it.',
      )
    }
    try {
      if (!once) {
        print(`Watching ${shown}. Ctrl-C stops it.`)
        // Nothing else keeps the process.
        const alive = setInterval(() => undefined, 2 ** 30)
        await stopSignal()
        clearInterval(alive)
        return undefined
      }
      const check = await watch.check()
      if (json) terminal.write(`${JSON.stringify(check)}\n`)
      else
        print(`${check.firing} ${check.firing === 1 ? 'alert' : 'alerts'}; ${check.told} told, ${check.failed} failed.`)
      return check.failed > 0 ? 1 : 0
    } finally {
      await watch.close()
      await limitStore.close?.()
    }
  },
})
