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
      spool: true,
      durability: 'os',
      maxSpoolBytes: 536_870_912,
      onSpoolFull: 'drop-oldest',
      handleSignals: false,
      limitCheckCacheTtlMs: 5000,
      captureFim: false,
      audit: 'off',
      contentHash: false,
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
    ['databaseUrl', 'TALLYGATE_DATABASE_URL', 'postgres://u:p@h:5432/db', 'postgres://u:p@h:5432/db'],
    ['dir', 'TALLYGATE_DIR', '/var/lib/tallygate', '/var/lib/tallygate'],
    ['gzip', 'TALLYGATE_GZIP', 'off', false],
    ['gzip', 'TALLYGATE_GZIP', 'YES', true],
    ['flushIntervalMs', 'TALLYGATE_FLUSH_INTERVAL_MS', '250', 250],
    ['maxBatchSize', 'TALLYGATE_MAX_BATCH_SIZE', '1e2', 100],
    ['maxQueueSize', 'TALLYGATE_MAX_QUEUE_SIZE', '10', 10],
    ['spool', 'TALLYGATE_SPOOL', 'no', false],
    ['durability', 'TALLYGATE_DURABILITY', 'fsync', 'fsync'],
    ['maxSpoolBytes', 'TALLYGATE_MAX_SPOOL_BYTES', '1048576', 1_048_576],
    ['onSpoolFull', 'TALLYGATE_ON_SPOOL_FULL', 'block', 'block'],
    ['handleSignals', 'TALLYGATE_HANDLE_SIGNALS', 'on', true],
    ['limitCheckCacheTtlMs', 'TALLYGATE_LIMIT_CHECK_CACHE_TTL_MS', '0', 0],
    ['captureFim', 'TALLYGATE_CAPTURE_FIM', 'yes', true],
    ['audit', 'TALLYGATE_AUDIT', 'output', 'output'],
    ['contentHash', 'TALLYGATE_CONTENT_HASH', 'yes', true],
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
    ['prices', 'TALLYGATE_PRICES', './prices.json', './prices.json'],
    ['markup', 'TALLYGATE_MARKUP', '1.2', '1.2'],
    ['unknownPrice', 'TALLYGATE_UNKNOWN_PRICE', 'deny', 'deny'],
    ['unknownPrice', 'TALLYGATE_UNKNOWN_PRICE', '15.5', { ceilingUsdPerMTok: '15.5' }],
    ['appName', 'TALLYGATE_APP_NAME', 'shop', 'shop'],
    ['environment', 'TALLYGATE_ENVIRONMENT', 'staging', 'staging'],
    ['onMissingTenant', 'TALLYGATE_ON_MISSING_TENANT', 'throw', 'throw'],
    ['onLimitStoreDown', 'TALLYGATE_ON_LIMIT_STORE_DOWN', 'deny', 'deny'],
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
    ...['open', { overdraftUsd: -1 }, { overdraftUsd: 'much' }, { overdraftUsd: 1, more: 1 }, {}, 5].map(
      (value): [keyof MeterOptions, unknown, string] => [
        'onLimitStoreDown',
        value,
        `'lease-then-deny', 'lease-then-allow', 'deny', 'allow' or { overdraftUsd }, got ${
          value === 'open' ? '"open"' : typeof value === 'object' ? 'an object' : `\`${value}\``
        }`,
      ],
    ),
    ['onLimitWarning', 'log', 'a function, got "log"'],
    ['limitWarningPercents', 80, 'a list of whole numbers from 1 to 1000, got `80`'],
    ['limitWarningPercents', [0], 'a list of whole numbers from 1 to 1000, got an array'],
    ['limitWarningPercents', [50.5], 'a list of whole numbers from 1 to 1000, got an array'],
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
    ['audit', true, "'off' or 'output', got `true`"],
    ['contentHash', 'yes', 'true or false, got "yes"'],
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
    ['prices', 7, 'the path of a price file, or an object such as `{ prices: [] }`, got `7`'],
    ['prices', '', 'the path of a price file, or an object such as `{ prices: [] }`, got ""'],
    ['markup', true, "a factor such as '1.2', an object such as `{ multiply: '1.2' }`, or a list of them, got `true`"],
    ['markup', 'a fifth', "a factor of 0 or more such as '1.2' or '6/5', got \"a fifth\""],
    ['markup', -1, "a factor of 0 or more such as '1.2' or '6/5', got `-1`"],
    ['markup', { factor: 2 }, 'an object of multiply, perCallUsd, provider, model, tenantId, got "factor"'],
    ...(['allow', 7, ['deny']] as const).map((value): [keyof MeterOptions, unknown, string] => [
      'unknownPrice',
      value,
      `'warn', 'deny' or an object such as \`{ ceilingUsdPerMTok: 15 }\`, got ${value === 'allow' ? '"allow"' : value === 7 ? '`7`' : 'an array'}`,
    ]),
    ['appName', '', 'a string of 1 to 256 characters, got ""'],
    ['environment', 'x'.repeat(257), 'a string of 1 to 256 characters, got a string of 257 characters'],
    ['onEvent', 'log', 'a function, got "log"'],
    ['onFlushError', {}, 'a function, got an object'],
    ['onProblem', true, 'a function, got `true`'],
    ['spool', 'yes', 'true or false, got "yes"'],
    ['durability', 'disk', "'memory', 'os' or 'fsync', got \"disk\""],
    ['maxSpoolBytes', 1000, 'a whole number of bytes from 65536 on, got `1000`'],
    ['maxSpoolBytes', 1e6 + 0.5, 'a whole number of bytes from 65536 on, got `1000000.5`'],
    ['onSpoolFull', 'drop', "'drop-oldest', 'drop-new' or 'block', got \"drop\""],
    ['handleSignals', 'SIGTERM', 'true or false, got "SIGTERM"'],
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
    ['markup', [{ multiply: '1.2' }, 2], '[1]', "an object such as `{ multiply: '1.2' }`, got `2`"],
    ['markup', [{ multiply: '1,2' }], '[0].multiply', "a factor of 0 or more such as '1.2' or '6/5', got \"1,2\""],
    ['markup', { perCallUsd: '-1' }, '.perCallUsd', 'a number of dollars of 0 or more, got "-1"'],
    ['markup', { tenantId: 7 }, '.tenantId', 'a non-empty string, got `7`'],
    ...[0, -1, '1e9', Number.NaN, undefined].map((value): [keyof MeterOptions, unknown, string, string] => [
      'unknownPrice',
      { ceilingUsdPerMTok: value },
      '.ceilingUsdPerMTok',
      `a number of dollars for a million tokens, above 0 and at most 1000000, got ${typeof value === 'string' ? JSON.stringify(value) : `\`${value}\``}`,
    ]),
    [
      'limitStore',
      { setLimit() {}, removeLimit() {}, changes() {}, lease() {} },
      '.accounts',
      'a function, got `undefined`',
    ],
  ]
  test.each(badElements)('in %s: %o is said of its element', (name, value, at, said) => {
    expect(fault({ [name]: value })).toBe(`Expected \`${name}${at}\` to be ${said}.`)
  })

  test.each(['', 'two words', 'k-1\n', 'schlüssel', 42])('of the API key, %j, is never quoted', (apiKey) => {
    const said = 'Expected `apiKey` to be a string without spaces or line breaks.'
    expect(fault({ apiKey })).toBe(said)
  })

  test.each(['', 'localhost/db', 'mysql://u:hunter2@h/db', 'postgres://', 5])(
    'of the address of a database, %j, is never quoted',
    (databaseUrl) => {
      const said = 'Expected `databaseUrl` to be an address such as postgres://user@host:5432/name.'
      expect(fault({ databaseUrl } as never)).toBe(said)
    },
  )

  test('of the API key in the environment neither', () => {
    expect(fault({}, { TALLYGATE_API_KEY: 'k-1\n' })).toBe(
      'Expected `TALLYGATE_API_KEY` to be a string without spaces or line breaks.',
    )
  })

  test('is told of for every option', () => {
    const told = new Set([...bad.map(([name]) => name), 'apiKey', 'databaseUrl'])
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

describe('`hosts` says what I meant where the provider is none, instead of losing the calls', () => {
  const said = (provider: string, providers: MeterOptions['providers'] = []) =>
    fault({ hosts: { 'llm.example.com': provider }, providers })

  test.each([
    ['opnai', 'openai'],
    ['OpenAI', 'openai'],
    ['gemini', 'google'],
    ['Vertex AI', 'google'],
    ['vertex', 'google'],
    ['xai', 'x-ai'],
    ['grok', 'x-ai'],
    ['claude', 'anthropic'],
    ['azure-openai', 'azure'],
    ['bedrock', 'aws'],
    ['together.ai', 'together'],
    ['moonshot', 'moonshotai'],
  ])('%s: %s', (provider, meant) => {
    expect(said(provider)).toBe(
      `Expected \`hosts["llm.example.com"]\` to be the name of a provider, perhaps '${meant}', or of one in \`providers\`, got "${provider}".`,
    )
  })

  test.each(['my-gateway', 'fetch', 'langchain', '__proto__', '?'])('%s is near to none of them', (provider) => {
    expect(said(provider)).toMatch(
      /^Expected `hosts\["llm\.example\.com"\]` to be one of 'openai', .*'ollama', or of one/,
    )
  })

  test('every provider that is known, and one of my own', () => {
    const house = defineProvider({ name: 'house', hosts: 'llm.house.example', wire: 'openai' })
    for (const name of ['openai', 'google', 'x-ai', 'mistral', 'cohere', 'aws', 'ollama'])
      expect(resolveOptions({ hosts: { 'llm.example.com': name } }, {}).hosts).toEqual({ 'llm.example.com': name })
    expect(resolveOptions({ hosts: { 'llm.example.com': 'house' }, providers: [house] }, {}).hosts).toBeDefined()
    expect(said('hause', [house])).toContain("perhaps 'house'")
    expect(fault({}, { TALLYGATE_HOSTS: 'a.example.com=gemini' })).toContain('TALLYGATE_HOSTS["a.example.com"]')
  })
})

test("`patches` may name a provider of the application's own", () => {
  const house = defineProvider({ name: 'house', hosts: 'llm.house.example', wire: 'openai' })
  expect(fault({ patches: ['house'] })).toContain('to be one of')
  expect(resolveOptions({ patches: ['house'], providers: [house] }, {}).patches).toEqual(['house'])
})
