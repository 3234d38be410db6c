// `tallygate drain`: delivers what processes left in their spools when they died.

import { resolve } from 'node:path'
import { drainSpools } from '../delivery/drain.ts'
import { createHeir } from '../limits/bequest.ts'
import { createProblems } from '../problems.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { limitStoreOf } from './limit-store.ts'
import { folderOf, isThere, shown } from './place.ts'
import { sinkOf, TARGET } from './target.ts'
import { WAIT, waitMs } from './wait.ts'
import { printable } from './width.ts'

export const drain = defineCommand({
  name: 'drain',
  summary: 'Deliver what dead processes left in the spool.',
  about: [
    'Every process writes its events into <dir>/spool before its calls go on, and removes them when they are delivered. What a process leaves behind is delivered by the next one that starts in the same folder; this is for when there is none.',
    'What a process held of limits is settled too, by what it wrote down: what it had spent counts, and the rest of its slices goes back. Without --limits the store is limits.db in <dir>, else the database of --database-url. What is of another store stays in the spool, which is said.',
    'A spool whose process may live in another container or on another machine is watched for a minute first: a living one touches it every ten seconds.',
  ],
  options: {
    ...TARGET,
    for: {
      type: 'string',
      value: 'sink',
      help: 'Deliver what is owed to a sink of this name. Default: http with a URL, else sqlite.',
    },
    wait: WAIT,
    limits: {
      type: 'string',
      value: 'url',
      help: 'The limit store to settle with: postgres://… or https://… . Default: limits.db in <dir>, else --database-url.',
    },
    dir: DIR,
  },
  examples: ['tallygate drain', 'tallygate drain --url https://api.example.com/v1/ingest --api-key $KEY'],
  async run(values, { terminal, env }) {
    const { print, complain } = terminal
    const dir = folderOf(values.dir, env)
    const spool = `${dir}/spool`
    if (!isThere(spool)) {
      print(`Nothing is left: there is no spool at ${shown(spool)}.`)
      return undefined
    }
    const sink = await sinkOf(values, dir, env)
    const problems = createProblems({
      onProblem: ({ message }) => complain(printable(message)),
      raiseOnError: false,
    })
    const name = values.for ?? sink.name
    const limits = await limitStoreOf(values, values['api-key'] ?? env['TALLYGATE_API_KEY'], dir)
    let leases = 0
    const elsewhere = new Map<string, number>()
    const heir = createHeir(limits, ({ settled, kept, store = '', unreadable }) => {
      leases += settled
      if (kept > 0) elsewhere.set(store, (elsewhere.get(store) ?? 0) + kept)
      if (unreadable !== undefined)
        complain('What a dead process wrote down of its money cannot be read; its slices stay charged.')
    })
    const done = await drainSpools({
      dir,
      sink: { ...sink, name },
      problems,
      patienceMs: waitMs(values.wait),
      onAdopted: heir.take,
      waiting: (count) =>
        print(
          `${count === 1 ? 'The process of one spool' : `The processes of ${count} spools`} may live elsewhere: watching for a minute.`,
        ),
    })
    await limits?.close?.()
    const { delivered, rejected, spools, left } = done
    print(`${delivered} events of ${spools} ${spools === 1 ? 'process' : 'processes'} delivered to ${name}.`)
    if (rejected > 0)
      print(`${rejected} were refused for good: \`tallygate dead-letters --dir ${shown(dir)}\` lists them.`)
    if (leases > 0) print(`${leases} ${leases === 1 ? 'slice of a limit' : 'slices of limits'} settled.`)
    for (const [store, kept] of elsewhere) complain(keptMessage(kept, store, spool))
    if (heir.waiting > 0)
      complain('The limit store does not answer: what was held of limits is settled when drain runs again.')
    for (const { path, owes } of done.others) print(`${resolve(path)} waits for ${owes.join(' and ')}.`)
    const untaken = done.others.length + done.unreadable
    if (left > 0) throw new Stop(1, `Not everything could be delivered: ${left} bytes are left in ${resolve(spool)}.`)
    if (untaken > 0)
      throw new Stop(1, `Not everything could be delivered: something in ${resolve(spool)} was left as it is.`)
    return undefined
  },
})

function keptMessage(kept: number, store: string, spool: string): string {
  const what = kept === 1 ? 'A slice of a limit is' : `${kept} slices of limits are`
  const where = store === '' ? 'a limit store that this is not' : `another limit store (${printable(store)})`
  return `${what} of ${where}, and stay${kept === 1 ? 's' : ''} charged: what was written down of ${kept === 1 ? 'it' : 'them'} is kept in ${shown(spool)} until \`tallygate drain --limits <url>\`, or a meter with that store, settles it.`
}
