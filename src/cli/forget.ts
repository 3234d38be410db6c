// `tallygate forget`: deletes what the ledger has of one tenant.

import { formatCount } from '../figures.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { telling } from './progress.ts'
import { printable } from './width.ts'

export const forget = defineCommand({
  name: 'forget',
  summary: "Delete one tenant's events, sums and limits from the ledger.",
  about: [
    'Says how many events the ledger has of the tenant; with --yes they are deleted, and cannot be brought back. Broken off, it can be started again. Others go on writing meanwhile, and an application that still serves the tenant writes new events.',
    'What the tenant spent before the days that `prune` took the events of stays in the sums of models and features, without its name.',
  ],
  options: {
    tenant: { type: 'string', value: 'id', help: 'Whose. Needed.' },
    yes: { type: 'boolean', help: 'Delete. Without it nothing is.' },
    json: { type: 'boolean', help: 'Print JSON.' },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: ['tallygate forget --tenant acme', 'tallygate forget --tenant acme --yes'],
  async run({ tenant, yes = false, json = false, ...values }, { terminal, env }) {
    if (tenant === undefined) throw new Stop(2, '`forget` needs `--tenant <id>`.')
    const { ledger, views, name } = await openToAsk(values, env)
    try {
      const { calls } = (await views.totals({ where: { tenant } })).total
      const deleted = yes ? await views.deleteTenant(tenant, { onProgress: telling(terminal, 'events deleted') }) : 0
      if (json) terminal.write(`${JSON.stringify({ ledger: name, tenant, calls, deleted, applied: yes }, null, 2)}\n`)
      else if (yes) terminal.print(`Deleted ${formatCount(deleted)} events of ${printable(tenant)}.`)
      else
        terminal.print(
          `${name} has ${formatCount(calls)} calls of ${printable(tenant)}. Nothing is deleted without --yes.`,
        )
    } finally {
      await views.close()
      await ledger.close()
    }
    return undefined
  },
})
