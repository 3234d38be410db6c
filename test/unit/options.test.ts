import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { optionsTable } from '../../scripts/options-table.mjs'
import { MeterError } from '../../src/errors.ts'
import { knownNames, listed } from '../../src/options/patch-names.ts'
import { type MeterOptions, OPTION_RULES, resolveOptions } from '../../src/options.ts'
import { defineProvider } from '../../src/providers/own.ts'
import { memorySink } from '../../src/sinks/memory.ts'

const names = Object.keys(OPTION_RULES) as (keyof MeterOptions)[]

function fault(options: unknown, env: NodeJS.ProcessEnv = {}): string {
  try {
    resolveOptions(options as MeterOptions, env)
  } catch (error) {
    expect(error).toBeInstanceOf(MeterError)
    expect(error).toMatchObject({ code: 'BAD_OPTION' })
    return (error as Error).message
  }
  return 'nothing was wrong'
}

const NAMES = listed(knownNames())

describe('defaults', () => {
  test('stand where nothing is said', () => {
    expect(resolveOptions({}, {})).toEqual({
      dir: '.tallygate',
      gzip: true,
      flushIntervalMs: 5000,
      maxBatchSize: 50,
      maxQueueSize: 1000,
      limitCheckCacheTtlMs: 5000,
      captureFim: false,
      onMissingTenant: 'warn',
      sampleRate: 1,
      debug: false,
      raiseOnError: false,
    })
    expect(resolveOptions(undefined, {})).toEqual(resolveOptions({}, {}))
  })

  test('the result is frozen, and nothing of the arguments is changed', () => {
    const given = Object.freeze({ appName: 'shop' })
    const resolved = resolveOptions(given, {})
    expect(Object.isFrozen(resolved)).toBe(true)
    expect(resolved.appName).toBe('shop')
  })
})

describe('the environment', () => {
  const read: [keyof MeterOptions, string, string, unknown][] = [
    ['url', 'TALLYGATE_URL', 'https://api.example.com/v1/ingest', 'https://api.example.com/v1/ingest'],
    ['apiKey', 'TALLYGATE_API_KEY', 'k-1', 'k-1'],
    ['limitsUrl', 'TALLYGATE_LIMITS_URL', 'http://127.0.0.1:8787', 'http://127.0.0.1:8787'],
    ['dir', 'TALLYGATE_DIR', '/var/lib/tallygate', '/var/lib/tallygate'],
    ['gzip', 'TALLYGATE_GZIP', 'off', false],
    ['gzip', 'TALLYGATE_GZIP', 'YES', true],
    ['flushIntervalMs', 'TALLYGATE_FLUSH_INTERVAL_MS', '250', 250],
    ['maxBatchSize', 'TALLYGATE_MAX_BATCH_SIZE', '1e2', 100],
    ['maxQueueSize', 'TALLYGATE_MAX_QUEUE_SIZE', '10', 10],
    ['limitCheckCacheTtlMs', 'TALLYGATE_LIMIT_CHECK_CACHE_TTL_MS', '0', 0],
    ['captureFim', 'TALLYGATE_CAPTURE_FIM', 'yes', true],
    ['patches', 'TALLYGATE_PATCHES', ' openai, google ,', ['openai', 'google']],
    [
      'hosts',
      'TALLYGATE_HOSTS',
      'llm.example.com=openai, 127.0.0.1:4010=google',
      {
        'llm.example.com': 'openai',
        '127.0.0.1:4010': 'google',
      },
    ],
    ['appName', 'TALLYGATE_APP_NAME', 'shop', 'shop'],
    ['environment', 'TALLYGATE_ENVIRONMENT', 'staging', 'staging'],
    ['onMissingTenant', 'TALLYGATE_ON_MISSING_TENANT', 'throw', 'throw'],
    ['sampleRate', 'TALLYGATE_SAMPLE_RATE', '0.25', 0.25],
    ['debug', 'TALLYGATE_DEBUG', '1', true],
    ['raiseOnError', 'TALLYGATE_RAISE_ON_ERROR', 'true', true],
  ]
  test.each(read)('%s is read from %s', (option, variable, text, value) => {
    expect(resolveOptions({}, { [variable]: text })[option]).toEqual(value)
  })

  test('has a variable for every option that fits into a string', () => {
    const variables = names.filter((name) => OPTION_RULES[name].env)
    expect([...new Set(read.map(([option]) => option))].sort()).toEqual(variables.sort())
  })

  test('comes after the argument, and an empty variable is none', () => {
    const env = { TALLYGATE_MAX_BATCH_SIZE: '7', TALLYGATE_DIR: '' }
    expect(resolveOptions({ maxBatchSize: 9 }, env)).toMatchObject({ maxBatchSize: 9, dir: '.tallygate' })
    expect(resolveOptions({ maxBatchSize: undefined }, env)).toMatchObject({ maxBatchSize: 7 })
  })

  test('a bad variable that an argument overrules is not looked at', () => {
    expect(resolveOptions({ maxBatchSize: 9 }, { TALLYGATE_MAX_BATCH_SIZE: 'many' }).maxBatchSize).toBe(9)
  })

  test.each([
    ['TALLYGATE_MAX_BATCH_SIZE', 'many', 'a whole number from 1 to 2147483647, got "many"'],
    ['TALLYGATE_MAX_BATCH_SIZE', ' ', 'a whole number from 1 to 2147483647, got " "'],
    ['TALLYGATE_GZIP', 'maybe', 'true or false, got "maybe"'],
    ['TALLYGATE_SAMPLE_RATE', '2', 'a number from 0 to 1, got "2"'],
    ['TALLYGATE_URL', 'api.example.com', 'an http or https URL, got "api.example.com"'],
  ])('what is wrong with %s=%s is said under its own name', (variable, text, said) => {
    expect(fault({}, { [variable]: text })).toBe(`Expected \`${variable}\` to be ${said}.`)
  })

  test.each([
    ['TALLYGATE_PATCHES', 'openai,nobody', '[1]', `one of ${NAMES}, got "nobody"`],
    ['TALLYGATE_HOSTS', 'a.example.com=openai,b.example.com', '["b.example.com"]', 'the name of a provider, got ""'],
  ])('what is wrong in the list %s=%s is said of its element', (variable, text, at, said) => {
    expect(fault({}, { [variable]: text })).toBe(`Expected \`${variable}${at}\` to be ${said}.`)
  })
})

describe('a bad value', () => {
  const whole = (least: number) => `a whole number from ${least} to 2147483647`
  const bad: [keyof MeterOptions, unknown, string][] = [
    ['url', 'ftp://example.com', 'an http or https URL, got "ftp://example.com"'],
    ['url', '', 'an http or https URL, got ""'],
    ['url', 443, 'an http or https URL, got `443`'],
    ['limitsUrl', 'nowhere', 'an http or https URL, got "nowhere"'],
    ['dir', '', 'the path of a folder, got ""'],
    ['dir', 7, 'the path of a folder, got `7`'],
    ['sinks', [], 'a list of at least one sink, got an array'],
    ['sinks', memorySink(), 'a list of at least one sink, got an object'],
    ['limitStore', 'redis', 'a limit store, got "redis"'],
    ['gzip', 'yes', 'true or false, got "yes"'],
    ['gzip', 1, 'true or false, got `1`'],
    ...(['flushIntervalMs', 'maxBatchSize', 'maxQueueSize'] as const).flatMap((name) =>
      [-1, 0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31].map(
        (value): [keyof MeterOptions, unknown, string] => [name, value, `${whole(1)}, got \`${value}\``],
      ),
    ),
    ['maxBatchSize', '50', `${whole(1)}, got "50"`],
    ['maxBatchSize', 50n, `${whole(1)}, got \`50n\``],
    ['limitCheckCacheTtlMs', -1, `${whole(0)}, got \`-1\``],
    ['patches', 'openai', 'a list of SDKs and providers, got "openai"'],
    ['providers', {}, 'a list of providers, got an object'],
    ['captureFim', 'yes', 'true or false, got "yes"'],
    ['hosts', ['openai'], 'an object from host to provider, got an array'],
    ...(
      [
        ['https://llm.example.com/v1', '"https://llm.example.com/v1"'],
        ['', '""'],
        // Before an @ there may be a password.
        ['user:secret@llm.example.com', 'an object'],
      ] as const
    ).map(([host, got]): [keyof MeterOptions, unknown, string] => [
      'hosts',
      { 'good.example.com': 'openai', [host]: 'openai' },
      `an object from host, such as \`llm.example.com:8080\`, to provider, got ${got}`,
    ]),
    ['appName', '', 'a string of 1 to 256 characters, got ""'],
    ['environment', 'x'.repeat(257), 'a string of 1 to 256 characters, got a string of 257 characters'],
    ['onEvent', 'log', 'a function, got "log"'],
    ['onFlushError', {}, 'a function, got an object'],
    ['onProblem', true, 'a function, got `true`'],
    ['onMissingTenant', 'ignore', "'record', 'warn' or 'throw', got \"ignore\""],
    ['onMissingTenant', () => 'throw', "'record', 'warn' or 'throw', got a function"],
    ...[-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY].map((value): [keyof MeterOptions, unknown, string] => [
      'sampleRate',
      value,
      `a number from 0 to 1, got \`${value}\``,
    ]),
    ['sampleRate', '1', 'a number from 0 to 1, got "1"'],
    ['debug', 'true', 'true or false, got "true"'],
    ['raiseOnError', Symbol('yes'), 'true or false, got a symbol'],
  ]
  test.each(bad)('of %s: %o', (name, value, said) => {
    expect(fault({ [name]: value })).toBe(`Expected \`${name}\` to be ${said}.`)
  })

  const badElements: [keyof MeterOptions, unknown, string, string][] = [
    ['sinks', [{}], '[0]', 'a sink, an object with a function `send`, got an object'],
    ['sinks', [memorySink(), 'sqlite'], '[1]', 'a sink, an object with a function `send`, got "sqlite"'],
    ['sinks', new Array(2), '[0]', 'a sink, an object with a function `send`, got `undefined`'],
    ['patches', ['x'], '[0]', `one of ${NAMES}, got "x"`],
    ['patches', ['google', 'deepseek', 'langchain', 7], '[3]', `one of ${NAMES}, got \`7\``],
    ['providers', [{ name: 'house' }], '[0]', 'a provider that `defineProvider` has made, got an object'],
    [
      'hosts',
      { 'a.example.com': 'openai', 'llm.example.com': '' },
      '["llm.example.com"]',
      'the name of a provider, got ""',
    ],
    ['hosts', { 'llm.example.com': 7 }, '["llm.example.com"]', 'the name of a provider, got `7`'],
    ['limitStore', { setLimit() {}, removeLimit() {}, lease() {} }, '.accounts', 'a function, got `undefined`'],
  ]
  test.each(badElements)('in %s: %o is said of its element', (name, value, at, said) => {
    expect(fault({ [name]: value })).toBe(`Expected \`${name}${at}\` to be ${said}.`)
  })

  test.each(['', 'two words', 'k-1\n', 'schlüssel', 42])('of the API key, %j, is never quoted', (apiKey) => {
    const said = 'Expected `apiKey` to be a string without spaces or line breaks.'
    expect(fault({ apiKey })).toBe(said)
  })

  test('of the API key in the environment neither', () => {
    expect(fault({}, { TALLYGATE_API_KEY: 'k-1\n' })).toBe(
      'Expected `TALLYGATE_API_KEY` to be a string without spaces or line breaks.',
    )
  })

  test('is told of for every option', () => {
    const told = new Set([...bad.map(([name]) => name), 'apiKey'])
    expect(names.filter((name) => !told.has(name))).toEqual([])
  })

  test('an option that does not exist is named, with those that do', () => {
    expect(fault({ flushIntervalSeconds: 5 })).toBe(
      `There is no option \`flushIntervalSeconds\`; the options are ${names.join(', ')}.`,
    )
    expect(fault({ __proto__: null, constructor: 1 })).toContain('There is no option `constructor`')
  })

  test.each([null, 'debug', 7])('options that are none: %o', (options) => {
    expect(fault(options)).toMatch(/^Expected `options` to be an object, got /)
  })

  test('whatever comes, it is one sentence or a whole set of options', () => {
    const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true })
    fc.assert(
      fc.property(fc.constantFrom(...names), value, (name, given) => {
        const message = fault({ [name]: given })
        if (message === 'nothing was wrong') expect(resolveOptions({ [name]: given }, {}).maxBatchSize).toBeDefined()
        else expect(message).toMatch(/^Expected `\w+(\[.+\]|\.\w+)?` to be .+\.$/s)
      }),
    )
  })
})

test('docs/options.md holds the table that src/options.ts makes: node scripts/options-table.mjs writes it', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/options.md'), 'utf8')
  expect(page).toContain(optionsTable())
  expect([...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(names)
})

test("`patches` may name a provider of the application's own", () => {
  const house = defineProvider({ name: 'house', hosts: 'llm.house.example', wire: 'openai' })
  expect(fault({ patches: ['house'] })).toContain('to be one of')
  expect(resolveOptions({ patches: ['house'], providers: [house] }, {}).patches).toEqual(['house'])
})
