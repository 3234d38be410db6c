// `tallygate dead-letters`: the events that a sink refused for good, why, and another try.

import { type DeadLetter, readDeadLetters, resendDeadLetters } from '../delivery/letters.ts'
import { createProblems } from '../problems.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { folderOf, shown } from './place.ts'
import { layOut } from './table.ts'
import { sinkOf, TARGET } from './target.ts'
import { printable } from './width.ts'

export const deadLetters = defineCommand({
  name: 'dead-letters',
  summary: 'List, show and send again what a sink refused for good.',
  about: [
    'An event that a sink will never take as it is (it answers 400 or 422 to it alone) is kept in <dir>/dead-letters with the reason, so that it is neither lost nor in the way of the others.',
  ],
  options: {
    show: { type: 'string', value: 'event id', help: 'Print this event as JSON, with its reason.' },
    resend: { type: 'boolean', help: 'Send them again; those that are taken are removed from the list.' },
    ...TARGET,
    json: { type: 'boolean', help: 'One JSON object for each.' },
    dir: DIR,
  },
  examples: ['tallygate dead-letters', 'tallygate dead-letters --resend --url https://api.example.com/v1/ingest'],
  async run(values, { terminal, env }) {
    const { print, complain, paint, width } = terminal
    const dir = folderOf(values.dir, env)
    if (values.resend === true) {
      const sink = await sinkOf(values, dir, env)
      const problems = createProblems({ onProblem: ({ message }) => complain(printable(message)), raiseOnError: false })
      const { delivered, left, unreadable, underway } = await resendDeadLetters({ dir, sink, problems })
      print(`${delivered} delivered to ${sink.name}, ${left} kept.`)
      if (underway > 0) print(`${underway} more are being sent by another process.`)
      if (unreadable > 0)
        complain(
          `${unreadable} of them cannot be read, and ${unreadable === 1 ? 'is' : 'are'} not sent: ${unreadable === 1 ? 'it stays' : 'they stay'} as found in ${shown(dir)}/dead-letters.`,
        )
      if (left > 0) throw new Stop(1, `Not every dead letter could be delivered: ${left} are still in ${shown(dir)}.`)
      return undefined
    }
    const letters = [...readDeadLetters(dir)]
    if (values.show !== undefined) {
      const found = letters.filter(({ event }) => event.event_id === values.show)
      if (found.length === 0)
        throw new Stop(1, `There is no dead letter with the event id ${JSON.stringify(values.show)}.`)
      for (const letter of found) print(JSON.stringify(letter, undefined, 2))
      return undefined
    }
    if (values.json === true) {
      for (const letter of letters) print(JSON.stringify(letter))
      return undefined
    }
    if (letters.length === 0) {
      print(`There are no dead letters in ${shown(dir)}.`)
      return undefined
    }
    const table = layOut(COLUMNS, letters.map(cellsOf), width)
    print(paint('dim', table.header))
    for (const line of table.lines) print(line)
    return undefined
  },
})

const COLUMNS = [
  { title: 'event', align: 'left' },
  { title: 'refused by', align: 'left' },
  { title: 'at', align: 'left', dispensable: 1 },
  { title: 'tenant', align: 'left', least: 8 },
  { title: 'reason', align: 'left', least: 10 },
] as const

function cellsOf({ event, sink, at, reason }: DeadLetter): string[] {
  const text = (value: unknown) => (typeof value === 'string' ? printable(value) : '')
  return [text(event.event_id), printable(sink), at.slice(0, 19), text(event.tenant_id), printable(reason)]
}
