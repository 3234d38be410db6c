// The command line as it is read and explained: one sentence for what is wrong, one list for the help and the documentation.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { alerts } from '../../src/cli/alerts.ts'
import { type Command, defineCommand, readValues, Stop } from '../../src/cli/command.ts'
import { demo } from '../../src/cli/demo.ts'
import { exportEvents } from '../../src/cli/export-events.ts'
import { flagOf, helpOf } from '../../src/cli/help.ts'
import { importLog } from '../../src/cli/import-log.ts'
import { invoice } from '../../src/cli/invoice.ts'
import { limits } from '../../src/cli/limits-command.ts'
import { dimensionsOf, inWords, periodOf, topOf, whereOf } from '../../src/cli/query.ts'
import { report } from '../../src/cli/report.ts'
import { serve } from '../../src/cli/serve.ts'
import { tail } from '../../src/cli/tail.ts'
import { createTerminal, wantsColour } from '../../src/cli/terminal.ts'
import { top } from '../../src/cli/top.ts'
import { widthOf } from '../../src/cli/width.ts'
import { DIMENSIONS } from '../../src/sinks/ledger.ts'

function stopOf(act: () => unknown): Pick<Stop, 'exitCode' | 'message'> {
  try {
    act()
  } catch (error) {
    if (error instanceof Stop) return { exitCode: error.exitCode, message: error.message }
    throw error
  }
  throw new Error('it was taken')
}

const example = defineCommand({
  name: 'example',
  summary: 'An example.',
  about: [],
  options: {
    since: { type: 'string', value: 'moment', help: 'From then on.' },
    key: { type: 'string', value: 'key', multiple: true, help: 'A key.' },
    json: { type: 'boolean', help: 'JSON.' },
  },
  examples: [],
  run: async () => undefined,
})

describe('readValues', () => {
  test.each([
    [[], {}],
    [['--since', '7d'], { since: '7d' }],
    [['--since=7d', '--json'], { since: '7d', json: true }],
    [['--key', 'a', '--key=b'], { key: ['a', 'b'] }],
    [['--since=-7d'], { since: '-7d' }],
    [['-h'], { help: true }],
    [['--'], {}],
  ])('%j', (args, values) => {
    expect(readValues(example, args)).toEqual(values)
  })

  test.each([
    [['--sinse', '7d'], '`example` has no option `--sinse`; did you mean `--since`?'],
    [['--colour'], '`example` has no option `--colour`; `tallygate example --help` lists them.'],
    [['-x'], '`example` has no option `-x`; `tallygate example --help` lists them.'],
    [['--__proto__'], '`example` has no option `--__proto__`; `tallygate example --help` lists them.'],
    [['--since'], '`--since` needs a value: `--since <moment>`.'],
    [['--since', '--json'], '`--since` needs a value: `--since <moment>`.'],
    [['--since='], '`--since` needs a value: `--since <moment>`.'],
    [['--since', '1d', '--since', '2d'], '`--since` can be given once only.'],
    [['--json=yes'], '`--json` takes no value, got "yes".'],
    [['acme'], '`example` takes options only, got "acme"; `tallygate example --help` lists them.'],
    [['--', '--json'], '`example` takes options only, got "--json"; `tallygate example --help` lists them.'],
  ])('%j is refused in one sentence', (args, message) => {
    expect(stopOf(() => readValues(example, args))).toEqual({ exitCode: 2, message })
  })
})

describe('the options of a report', () => {
  const NOW = Date.parse('2026-11-22T14:05:00Z')

  test('--by takes every dimension of a ledger, spelt as one would', () => {
    expect(dimensionsOf(DIMENSIONS.join(','))).toEqual(DIMENSIONS)
    expect(dimensionsOf('Cost-Center, tenant,tenant')).toEqual(['cost_center', 'tenant'])
  })

  test.each<readonly [() => unknown, string | RegExp]>([
    [() => dimensionsOf('tenat'), '`--by` cannot group by "tenat"; did you mean `tenant`?'],
    [() => dimensionsOf(''), `\`--by\` cannot group by ""; it knows ${DIMENSIONS.join(', ')}, and tag:<name>.`],
    [() => whereOf(['tenat=acme']), '`--where` cannot tell "tenat"; did you mean `tenant`?'],
    [() => whereOf(['=acme']), /cannot tell ""; it knows/],
    [() => dimensionsOf('tenant,;drop table'), /cannot group by ";drop table"; it knows/],
    [() => periodOf({ since: 'soon' }, NOW), /^`--since` takes a date .*; got "soon"\.$/],
    [
      () => periodOf({ since: 'day', until: 'month' }, NOW),
      'Nothing lies between `--since` (2026-11-22) and `--until` (2026-11-01).',
    ],
    ...['0', '-1', '1.5', 'all', ''].map(
      (top) => [() => topOf(top), `\`--top\` takes a whole number above 0; got ${JSON.stringify(top)}.`] as const,
    ),
  ])('%s', (act, message) => {
    const stop = stopOf(act)
    expect(stop.exitCode).toBe(2)
    expect(stop.message).toMatch(message)
  })

  test.each([
    [{}, 'all time'],
    [{ tenant: 'acme' }, 'acme, all time'],
    [{ since: 'month' }, 'from 2026-11-01 UTC to now'],
    [{ until: '2026-11-01T14:00' }, 'to 2026-11-01 14:00 UTC'],
    [{ since: '2026-10', until: '2026-11', tenant: 'acme' }, 'acme, from 2026-10-01 UTC to 2026-11-01 UTC'],
  ])('%j is said as "%s"', (options, words) => {
    expect(inWords(periodOf(options, NOW))).toBe(words)
  })
})

describe('colour', () => {
  const person = { isTTY: true, write: () => true }
  const pipe = { write: () => true }

  test.each([
    ['a person', person, {}, true],
    ['a pipe', pipe, {}, false],
    ['a person who wants none', person, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', person, { NO_COLOR: '' }, true],
    ['a pipe that wants it', pipe, { FORCE_COLOR: '1' }, true],
    ['both asked for', pipe, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
    ['forced off', person, { FORCE_COLOR: '0' }, false],
    ['a terminal without', person, { TERM: 'dumb' }, false],
  ])('%s', (_, stdout, env, expected) => {
    expect(wantsColour(stdout, env)).toBe(expected)
    const painted = createTerminal(stdout, stdout, env).paint('red', 'x')
    expect(painted).toBe(expected ? '\u001b[31mx\u001b[39m' : 'x')
  })
})

const commands: readonly Command[] = [report, tail, top, invoice, limits, serve, demo, exportEvents, importLog, alerts]

describe.each(commands.map((command) => [command.name, command] as const))('tallygate %s', (name, command) => {
  test('has --dir and --help, and a help that fits 80 columns', () => {
    const lines: string[] = []
    const output = { write: (text: string) => lines.push(...text.split('\n')) }
    helpOf(command, createTerminal(output, output, {}))
    expect(lines.join('\n')).toContain('--dir <folder>')
    for (const option of Object.keys(command.options)) expect(lines.join('\n')).toContain(`  --${option}`)
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(80)
  })

  test('stands in docs/cli.md with every option', () => {
    const page = readFileSync(join(root, 'docs/cli.md'), 'utf8')
    const section = page.split(/^## /m).find((part) => part.startsWith(`${name}\n`)) ?? ''
    const flags = Object.entries(command.options).filter(([option]) => option !== 'help')
    const missing = flags
      .map(([option, facts]) => flagOf(option, { ...facts, multiple: false }))
      .filter((flag) => !section.includes(`\`${flag}\``))
    expect(missing).toEqual([])
  })
})
