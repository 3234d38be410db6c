// What happens in the demo: five short scenes of three tenants, made of real calls and nothing else.

import type { Emulator } from '../emulator/index.ts'
import { formatMoney } from '../figures.ts'
import { LimitExceededError, type Meter } from '../index.ts'
import { parseUsd } from '../money.ts'
import { Stop } from './command.ts'
import type { Assistant, Question } from './demo-assistants.ts'

export interface Scene {
  readonly title: string
  /** Resolves to what a person should take from it. */
  play(stage: Stage): Promise<readonly string[]>
}

export interface Stage {
  readonly meter: Meter
  readonly emulator: Emulator
}

const LIMIT_USD = '0.05'
/** A reader who leaves early: enough has come to be charged for, and more would have. */
const PIECES_READ = 25

/** With fewer than three SDKs, one plays several parts. */
export function scenes([first, second = first, third = second]: readonly [Assistant, ...Assistant[]]): Scene[] {
  return [
    {
      title: `lumen-health triages notes with ${first.title}, plain and streamed`,
      async play({ meter, emulator }) {
        emulator.reply(
          { match: asking('cannot wait'), inputTokens: 3180, outputTokens: 412 },
          { match: asking('ask next'), inputTokens: 2940, cachedTokens: 2048, outputTokens: 655 },
        )
        await meter.forTenant('lumen-health', { feature: 'triage' }, async () => {
          await first.ask(question('Which of these notes cannot wait?'))
          await readAll(await first.stream(question('And what should the nurse ask next?')))
        })
        return ['A stream that did not ask for its usage, and was metered all the same.']
      },
    },
    {
      title: `fjord-travel plans trips with ${second.title}, plain and streamed`,
      async play({ meter, emulator }) {
        emulator.reply(
          { match: asking('Bergen'), inputTokens: 5210, cachedTokens: 4096, outputTokens: 890 },
          { match: asking('rains'), inputTokens: 1460, outputTokens: 1204 },
        )
        await meter.forTenant('fjord-travel', { feature: 'itinerary' }, async () => {
          await second.ask(question('Three days in Bergen, with children?'))
          await readAll(await second.stream(question('And if it rains?')))
        })
        return []
      },
    },
    {
      title: `harbor-books may spend $${LIMIT_USD} a day, and keeps asking ${third.title}`,
      async play({ meter, emulator }) {
        await meter.setLimit('harbor-books', { usd: LIMIT_USD, per: 'day', mode: 'hard' })
        const { longAnswerTokens } = third
        emulator.reply({ match: asking('Blurb'), outputTokens: longAnswerTokens, times: Number.POSITIVE_INFINITY })
        return meter.forTenant('harbor-books', { feature: 'blurbs' }, () => askUntilRefused(third))
      },
    },
    {
      title: 'A reader at lumen-health closes the tab in the middle of an answer',
      async play({ meter, emulator }) {
        emulator.reply({ match: asking('night shift'), text: LONG_ANSWER, msBetweenEvents: 4 })
        await meter.forTenant('lumen-health', { feature: 'triage' }, async () => {
          let pieces = 0
          for await (const _ of await first.stream(question('Summarise the night shift.')))
            if (++pieces === PIECES_READ) break
        })
        return ['A stream tells its usage last, so it never came: what had come was counted.']
      },
    },
    {
      title: `${second.title} has a bad minute while fjord-travel waits: 500, 500, 200`,
      async play({ meter, emulator }) {
        const match = asking('ferry')
        const busy = { match, status: 500, headers: { 'retry-after-ms': '20' } }
        emulator.reply(busy, busy, { match, inputTokens: 2260, outputTokens: 530 })
        await meter.forTenant('fjord-travel', { feature: 'itinerary' }, () =>
          second.ask(question('Which ferry, then?')),
        )
        return ['The SDK tried three times; it is one event, priced once.']
      },
    },
  ]
}

/** Scripts go by the question, so that no scene takes another's, whichever SDKs are there. */
function asking(words: string) {
  return ({ body }: { readonly body: unknown }) => JSON.stringify(body ?? '').includes(words)
}

function question(prompt: string, maxTokens = 2000): Question {
  return { prompt, maxTokens }
}

async function readAll(pieces: AsyncIterable<string>): Promise<void> {
  for await (const _ of pieces);
}

/** Far more than the limit can pay for: what ends it is the refusal. */
const MOST_CALLS = 100

async function askUntilRefused(assistant: Assistant): Promise<string[]> {
  for (let call = 1; call <= MOST_CALLS; call++) {
    const next = question(`Blurb number ${call}, please.`, assistant.longAnswerTokens)
    try {
      if (call % 2 === 1) await assistant.ask(next)
      else await readAll(await assistant.stream(next))
    } catch (error) {
      if (error instanceof LimitExceededError) return upgradePrompt(error, call)
      throw error
    }
  }
  throw new Stop(1, `${MOST_CALLS} calls went through a limit of $${LIMIT_USD}.`)
}

/** What an application would show: all of it stands on the error as data. */
function upgradePrompt({ spentUsd, limitUsd, resetsAt }: LimitExceededError, call: number): string[] {
  const [spent, limit] = [spentUsd, limitUsd].map((usd) => formatMoney(parseUsd(usd!)!))
  return [
    `Call ${call} is refused before it is sent: a LimitExceededError, and the app shows`,
    `  "You have used ${spent} of your ${limit} for today. Upgrade for more,`,
    `   or come back at ${resetsAt?.toISOString().slice(11, 16)} UTC."`,
  ]
}

const LONG_ANSWER = [
  'The night was calm until two, when a patient in room twelve asked for more water than usual and slept badly.',
  'Blood pressure was taken every hour and stayed within the agreed range, with one reading near its upper end.',
  'Nobody fell, nobody left the ward, and the new pump was changed at five after a short alarm.',
  'The day shift should look at room twelve first and then at the order for the pharmacy, which is still open.',
].join(' ')
