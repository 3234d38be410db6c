// `tallygate tail`: events as they come into a ledger.

import { type LLMEvent, toWire } from '../event.ts'
import { type Arrivals, createArrivals } from '../ledger/arrivals.ts'
import { postgresSource } from '../ledger/postgres-source.ts'
import type { Where } from '../ledger/query.ts'
import type { Source } from '../ledger/source.ts'
import { sqliteSource } from '../ledger/sqlite-source.ts'
import { type LedgerViews, viewsOf } from '../ledger/views.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, databaseUrlOf, type LedgerValues } from './ledgers.ts'
import { stopSignal } from './listening.ts'
import { INTERVAL, intervalOf, isPassing, pause } from './live.ts'
import { folderOf, ledgerIn, shown } from './place.ts'
import { whereOf } from './query.ts'
import { eventHeader, eventLine } from './tail-line.ts'
import type { Terminal } from './terminal.ts'

const LAST = 10
const MOST_LAST = 1000
const EVERY_SECONDS = 1
/** A ledger that is being made has a file before it has tables. */
const TRIES = 5

export const tail = defineCommand({
  name: 'tail',
  summary: 'Events as they come in.',
  about: [
    'Prints the last events and then each one that comes, until Ctrl-C. It only reads, beside whoever writes: a meter delivers every few seconds. A ledger that is not there yet is waited for, and one that is locked or restarting is tried again.',
  ],
  options: {
    tenant: { type: 'string', value: 'id', help: 'Events of this tenant only.' },
    where: {
      type: 'string',
      multiple: true,
      value: 'name=value',
      help: 'Events with this value of anything that `report --by` knows; the name alone: events without one.',
    },
    last: {
      type: 'string',
      short: 'n',
      value: 'events',
      help: `So many that are there already, first. Default: ${LAST}`,
    },
    interval: { ...INTERVAL, help: `How often to look. Default: ${EVERY_SECONDS}` },
    json: { type: 'boolean', help: 'One JSON object a line, with the names of the wire.' },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: [
    'tallygate tail',
    'tallygate tail -n 50 --tenant acme',
    'tallygate tail --where model=gpt-6-sol --json | jq .cost_usd',
  ],
  async run(values, { terminal, env }) {
    const last = lastOf(values.last)
    const everyMs = intervalOf(values.interval, EVERY_SECONDS)
    const where = { ...whereOf(values.where), ...(values.tenant !== undefined && { tenant: values.tenant }) }
    const { source, place } = sourceOf(values, env)
    const stopped = stopSignal()
    try {
      await follow({ source, place, where, last, everyMs, stopped, terminal, asJson: values.json === true })
    } finally {
      await source.close()
    }
    return undefined
  },
})

function lastOf(text: string | undefined): number {
  if (text === undefined) return LAST
  const last = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (last <= MOST_LAST) return last
  throw new Stop(2, `\`--last\` takes a whole number up to ${MOST_LAST}; got ${JSON.stringify(text)}.`)
}

function sourceOf(values: LedgerValues, env: NodeJS.ProcessEnv): { source: Source; place: string | undefined } {
  const databaseUrl = databaseUrlOf(values, env)
  if (databaseUrl !== undefined) return { source: postgresSource({ databaseUrl }), place: undefined }
  const path = ledgerIn(folderOf(values.dir, env))
  return { source: sqliteSource(path), place: path }
}

interface Following {
  readonly source: Source
  /** The file of the ledger, where it is one. */
  readonly place: string | undefined
  readonly where: Where
  readonly last: number
  readonly everyMs: number
  readonly stopped: Promise<unknown>
  readonly terminal: Terminal
  readonly asJson: boolean
}

async function follow(following: Following): Promise<void> {
  const { source, where, last, everyMs, stopped, terminal, asJson } = following
  const views = viewsOf(source)
  let arrivals: Arrivals | undefined
  let printed = new Set<string>()
  let faults = 0
  let said = ''
  if (!asJson) terminal.print(terminal.paint('dim', eventHeader(terminal.width)))
  const print = (event: LLMEvent) =>
    asJson ? terminal.write(`${JSON.stringify(toWire(event))}\n`) : terminal.print(eventLine(event, terminal.width))

  /** From the first time on that the ledger answers, what comes next is printed. */
  async function look(): Promise<void> {
    if (arrivals === undefined) {
      const made = createArrivals(source, { where })
      await made.next()
      const before = await lastOnes(views, where, last)
      arrivals = made
      for (const event of before) print(event)
      printed = new Set(before.map(({ eventId }) => eventId))
      return
    }
    const events = await arrivals.next()
    // Came between the two first questions.
    for (const event of events) if (!printed.has(event.eventId)) print(event)
  }

  do {
    try {
      if (isAwaited(following)) {
        arrivals = undefined
        faults = 1
        tell(`There is no ledger at ${shown(following.place!)} yet: waiting for an application to write one.`)
        continue
      }
      await look()
      faults = 0
      said = ''
    } catch (error) {
      if (isPassing(error)) tell(`${error.message.replace(/\.$/, '')}; trying again.`)
      else if (faults === 0 || ++faults > TRIES) throw error
    }
  } while (!(await pause(everyMs, stopped)))

  function tell(sentence: string): void {
    if (said !== sentence) terminal.complain(sentence)
    said = sentence
  }
}

function isAwaited({ place }: Following): boolean {
  return place !== undefined && !process.getBuiltinModule('node:fs').existsSync(place)
}

/** The oldest first. */
async function lastOnes(views: LedgerViews, where: Where, limit: number): Promise<LLMEvent[]> {
  if (limit === 0) return []
  return [...(await views.events({ where, limit })).events].reverse()
}
