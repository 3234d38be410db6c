// What is drawn again and again: on a screen over itself, elsewhere once; and what a wrong command line is told.

import { describe, expect, test } from 'vitest'
import { intervalOf, redraw, type Screen } from '../../src/cli/live.ts'
import { eventHeader, eventLine } from '../../src/cli/tail-line.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { MeterError } from '../../src/errors.ts'
import { event } from '../support/ledgers.ts'

/** A screen that says what is on it, and stops after so many pictures. */
function screenOf(size: { columns?: number; rows?: number; isTTY?: boolean }, pictures: number) {
  let text = ''
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const screen: Screen = {
    isTTY: true,
    ...size,
    write(more) {
      text += more
      if (text.split('\u001b[H').length - 1 >= pictures) stop()
    },
  }
  const terminal = createTerminal({ write: screen.write }, screen, {})
  const plain = (picture: string) =>
    ['\u001b[K', '\u001b[J', '\u001b[?25h'].reduce((left, sign) => left.replaceAll(sign, ''), picture)
  const shown = () => text.split('\u001b[H').slice(1).map(plain)
  return { screen, terminal, stopped, shown, text: () => text }
}

describe('redraw', () => {
  test('draws over the last picture until it is told to stop, and gives the cursor back', async () => {
    const { screen, terminal, stopped, shown, text } = screenOf({ columns: 44, rows: 3 }, 3)
    let count = 0
    await redraw({
      screen,
      terminal,
      everyMs: 1,
      stopped,
      async draw({ print, width }) {
        print(`picture ${++count} at ${width}`)
        print('second')
        print('third, for which there is no room')
      },
    })
    expect(shown()).toEqual([1, 2, 3].map((n) => `picture ${n} at 44\nsecond\n`))
    expect(text().startsWith('\u001b[?25l\u001b[2J')).toBe(true)
    expect(text().endsWith('\u001b[?25h')).toBe(true)
  })

  test('prints one picture where there is no screen', async () => {
    const { screen, terminal, text } = screenOf({ isTTY: false }, 9)
    const stopped = new Promise(() => {})
    await redraw({ screen, terminal, everyMs: 1, stopped, draw: async ({ print }) => print('once') })
    expect(text()).toBe('once\n')
  })

  test('goes on where the ledger is locked for a while, and ends where it is of no use', async () => {
    const { screen, terminal, stopped, shown, text } = screenOf({}, 3)
    let count = 0
    const locked = new MeterError('LEDGER_UNAVAILABLE', 'The ledger is locked.', { cause: { errcode: 5 } })
    await redraw({
      screen,
      terminal,
      everyMs: 1,
      stopped,
      async draw({ print }) {
        if (++count === 2) throw locked
        print(`picture ${count}`)
      },
    })
    expect(shown()).toEqual(['picture 1\n', 'The ledger is locked.\npicture 1\n', 'picture 3\n'])
    const newer = new MeterError('LEDGER_UNAVAILABLE', 'The ledger was written by a newer version.')
    let drawn = 0
    const drawing = redraw({
      ...screenOf({}, 9),
      everyMs: 1,
      async draw() {
        if (++drawn > 1) throw newer
      },
    })
    await expect(drawing).rejects.toBe(newer)
    expect(text()).toContain('\u001b[?25h')
  })
})

test.each([
  ['1', 1000],
  ['0.5', 500],
  [undefined, 2000],
])('--interval %s is %i ms', (text, ms) => {
  expect(intervalOf(text, 2)).toBe(ms)
})

test.each(['0', '-1', 'soon', '0.01', '1e9', ''])('--interval %j is refused', (text) => {
  expect(() => intervalOf(text, 2)).toThrow('`--interval` takes seconds, from 0.1 to 99999; got ')
})

test('an event is a line, in columns, of which no name makes a command of the terminal', () => {
  const made = event({
    at: Date.UTC(2026, 10, 22, 13, 5, 59),
    tenantId: 'acme\u001b[2J',
    model: 'a-model-with-a-name-that-is-too-long-for-this',
    inputTokens: 1234,
    outputTokens: 56,
    costUsd: '0.0123',
    durationMs: 811.6,
    error: 'http_529',
    feature: 'search',
  })
  const lines = [
    eventHeader(80),
    eventLine(made, 80),
    eventLine(event({ costSource: 'unpriced', calls: 12 }), 80),
    eventLine({ ...event(), tenantId: undefined as never }, 80),
  ]
  expect(`\n${lines.join('\n')}\n`).toBe(`
UTC       tenant          model                       in      out       cost       ms
13:05:59  acme�[2J        a-model-with-a-name…     1,234       56    $0.0123      812  http_529 search
00:00:00  acme            gpt-4o                       0        0    unknown           12 calls
00:00:00  (no tenant)     gpt-4o                       0        0
`)
})
