// `tallygate dead-letters`: the events that a sink refused for good, why, and another try.

import { type DeadLetter, readDeadLetters } from '../delivery/letters.ts'
import { resendDeadLetters } from '../delivery/resend.ts'
import { createProblems } from '../problems.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { folderOf, shown } from './place.ts'
import { layOut } from './table.ts'
import { sinkOf, TARGET } from './target.ts'
import { WAIT, waitMs } from './wait.ts'
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
    for: {
      type: 'string',
      value: 'sink',
      help: 'Send what a sink of this name has refused. Default: http with a URL, else the ledger’s own.',
    },
    wait: WAIT,
    json: { type: 'boolean', help: 'One JSON object for each.' },
    dir: DIR,
  },
  examples: ['tallygate dead-letters', 'tallygate dead-letters --resend --url https://api.example.com/v1/ingest'],
  async run(values, { terminal, env }) {
    const { print, complain, paint, width } = terminal
    const dir = folderOf(values.dir, env)
    if (values.resend === true) {
      const patienceMs = waitMs(values.wait)
      const target = await sinkOf(values, dir, env)
      const sink = { ...target, name: values.for ?? target.name }
      const problems = createProblems({ onProblem: ({ message }) => complain(printable(message)), raiseOnError: false })
      const done = await readable(dir, () => resendDeadLetters({ dir, sink, problems, patienceMs }))
      const { delivered, left, unreadable, underway, error } = done
      print(`${delivered} delivered to ${sink.name}, ${left} kept.`)
      const others = new Map<string, number>()
      for (const letter of readDeadLetters(dir))
        if (letter.sink !== sink.name) others.set(letter.sink, (others.get(letter.sink) ?? 0) + 1)
      for (const [other, count] of others)
        print(
          `${count} ${count === 1 ? 'is' : 'are'} of ${printable(other)}, and left alone: --for ${printable(other)} sends them.`,
        )
      if (underway > 0) print(`${underway} more are being sent by another process.`)
      if (unreadable > 0)
        complain(
          `${unreadable} of them cannot be read, and ${unreadable === 1 ? 'is' : 'are'} not sent: ${unreadable === 1 ? 'it stays' : 'they stay'} as found in ${shown(dir)}/dead-letters.`,
        )
      const why = error === undefined ? '' : ` (${printable(error.message)})`
      if (left > 0)
        throw new Stop(1, `Not every dead letter could be delivered: ${left} are still in ${shown(dir)}${why}.`)
      return undefined
    }
    const letters = await readable(dir, async () => [...readDeadLetters(dir)])
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

/** What a folder of another user, or a disk that takes nothing, says is one sentence. */
async function readable<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw new Stop(1, `The dead letters in ${shown(dir)} cannot be read or written (${code}).`)
  }
}

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
