// `tallygate prune`: deletes events for their age; what they sum up to stays.

import { formatCount } from '../figures.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { formatMoment, parseMoment } from './period.ts'
import { telling } from './progress.ts'

const DAY = 86_400_000

export const prune = defineCommand({
  name: 'prune',
  summary: 'Delete old events; what they sum up to stays.',
  about: [
    'Events of whole days in UTC go. Their sums stay: by tenant; by provider, model, endpoint, tier and host; by feature, team, project, cost center, app and environment. What crosses these three, and users, sessions and tags, is known only of events that are there.',
    'A call that is recorded late counts as ever; one that is sent twice, and whose event is gone, counts twice.',
    'SQLite keeps the room for new events; VACUUM gives it back to the disk.',
  ],
  options: {
    keep: { type: 'string', value: 'time', help: 'How far back events stay: 90d, 12w, or a date. Needed.' },
    yes: { type: 'boolean', help: 'Delete. Without it nothing is.' },
    json: { type: 'boolean', help: 'Print JSON.' },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: ['tallygate prune --keep 90d', 'tallygate prune --keep 90d --yes'],
  async run({ keep, yes = false, json = false, ...values }, { terminal, env }) {
    if (keep === undefined) throw new Stop(2, '`prune` needs `--keep <time>`, such as `--keep 90d`.')
    const now = Date.now()
    const moment = parseMoment(keep, now)
    if (moment === undefined || moment > now)
      throw new Stop(2, `\`--keep\` takes so long ago (90d, 12w) or a date that is past; got ${JSON.stringify(keep)}.`)
    const before = Math.floor(moment / DAY) * DAY
    const { ledger, views, name } = await openToAsk(values, env)
    try {
      const onProgress = telling(terminal, 'events deleted')
      const deleted = yes ? await views.keep(before, { onProgress }) : 0
      const report = { ledger: name, before: new Date(before).toISOString(), deleted, applied: yes }
      if (json) terminal.write(`${JSON.stringify(report, null, 2)}\n`)
      else if (yes) terminal.print(`Deleted ${formatCount(deleted)} events from before ${formatMoment(before)} UTC.`)
      else terminal.print(`Events from before ${formatMoment(before)} UTC would be deleted. Nothing is without --yes.`)
    } finally {
      await views.close()
      await ledger.close()
    }
    return undefined
  },
})
