// The house, as data: which room may import which, how large a file may grow, what no file may hold.

import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LOCKS, lockFaults } from '../scripts/check-lock.mjs'
import { root } from '../scripts/entries.mjs'
import { findCycle, readSource, readText, repositoryFiles, type Source } from './support/source-tree.ts'

const VOCABULARY = ['errors', 'money', 'usage', 'event', 'tenant', 'problems', 'wire', 'wire-fields', 'figures', 'html']
const PARTS = ['providers', 'patch', 'pricing', 'limits', 'delivery', 'sinks']
/** What is known of the databases, whatever is in them. */
const DATABASES = ['postgres', 'sqlite']
/** What makes a meter of the parts: each may import those before it. */
const STAIRS = ['options', 'call', 'reprice', 'manual', 'meter']

/** What each room may import besides itself. A room is a folder of `src`, a file at its root, or a file and the folder behind it. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(VOCABULARY.map((word) => [word, VOCABULARY])),
  ...Object.fromEntries(DATABASES.map((database) => [database, VOCABULARY])),
  ...Object.fromEntries(PARTS.map((part) => [part, [...VOCABULARY, ...DATABASES]])),
  ...Object.fromEntries(
    STAIRS.map((step, i) => [step, [...VOCABULARY, ...DATABASES, ...PARTS, ...STAIRS.slice(0, i)]]),
  ),
  audit: [...VOCABULARY, 'options', 'providers', 'pricing', 'call', 'reprice', 'sinks', 'ledger', 'import'],
  'pricing-api': [...VOCABULARY, 'providers', 'pricing', 'call', 'reprice', 'audit'],
  import: [...VOCABULARY, 'providers', 'pricing', 'call', 'manual', 'pricing-api'],
  alerts: [...VOCABULARY, ...DATABASES, 'ledger', 'limits', 'sinks'],
  index: [...VOCABULARY, ...DATABASES, ...PARTS, ...STAIRS],
  register: ['patch', 'meter'],
  middleware: [...VOCABULARY, 'meter'],
  reconcile: [...VOCABULARY, ...DATABASES, 'pricing', 'sinks', 'import'],
  ledger: [...VOCABULARY, ...DATABASES, 'limits', 'sinks'],
  server: [...VOCABULARY, ...DATABASES, 'ledger', 'limits', 'sinks'],
  cli: [
    ...VOCABULARY,
    'alerts',
    'import',
    'audit',
    'delivery',
    'emulator',
    'index',
    'ledger',
    'limits',
    'meter',
    'options',
    ...DATABASES,
    'pricing',
    'reconcile',
    'reprice',
    'server',
    'sinks',
  ],
  emulator: [],
  // It runs in a browser, where there is nothing else of ours.
  dashboard: ['money', 'figures'],
}

/** Single files that a room may take the types of, and nothing that exists at run time. */
const MAY_TAKE_TYPES: Readonly<Record<string, readonly string[]>> = {
  delivery: ['src/sinks/sink.ts'],
}

const FORBIDDEN_FOLDERS = ['utils', 'util', 'helpers', 'common', 'core', 'lib', 'shared', 'misc']

const USUAL_LINES = 250
const MOST_LINES = 400
/** Files above the usual size, each with the reason why it is still one noun. */
const LARGE_FILES: Readonly<Record<string, string>> = {
  'src/event.ts': 'the event and its names on the wire are one list, each line a field',
  'src/options.ts': 'every option with its words, its rule and its default is one list',
  'src/call.ts': 'one call from its request to its event, to be read from top to bottom in one place',
  'src/limits/postgres-schema.ts': 'the SQL of one part of the tables, each step as it was released',
  'src/errors.ts': 'every error with the sentence that it says, and how each is told from others, is one list',
  'src/meter.ts': 'the public verbs, of which half the lines are what a user reads of them',
}

/** Loaded on first use, because they cost tens of milliseconds or are not there on every Node. */
const NEVER_AT_IMPORT = ['zod', 'undici', 'js-tiktoken', 'node:sqlite']
/** What scripts/dashboard.mjs puts into the page, so that nobody installs it. */
const BUNDLED = ['preact', 'preact/hooks', 'uplot']
/** Written by scripts/compile-price-book.mjs: no one reads it, and it is loaded on first use too. */
const PRICE_DATA = 'src/pricing/data/'
/** Built into a file of its own, which is required by its path and never imported. */
const WHOLE_BOOK = 'src/pricing/whole-book.ts'

const files = repositoryFiles()
const sources: readonly Source[] = files.filter((path) => /^src\/.*\.tsx?$/.test(path)).map(readSource)
const manifest = JSON.parse(readText('package.json')) as {
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
}

/** `src/limits/window.ts` is of `limits`, `src/money.ts` of `money`. */
function roomOf(path: string): string {
  const [, first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

function isAllowed(from: string, target: string, isTypeOnly: boolean): boolean {
  const [room, other] = [roomOf(from), roomOf(target)]
  if (room === other || MAY_IMPORT[room]?.includes(other)) return true
  return isTypeOnly && !!MAY_TAKE_TYPES[room]?.includes(target)
}

describe('imports run one way', () => {
  test('every room is in the table', () => {
    expect([...new Set(sources.map(({ path }) => roomOf(path)))].filter((room) => !(room in MAY_IMPORT))).toEqual([])
  })

  test('each room imports only what the table lets it', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, isTypeOnly }) => target !== undefined && !isAllowed(path, target, isTypeOnly))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('nothing imports in a circle', () => {
    expect(findCycle(sources)).toBeUndefined()
  })

  test('every relative import names a file that exists, with its suffix', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.filter(({ target }) => target && !existsSync(join(root, target))).map((it) => `${path}: ${it.specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('nothing is imported only for what it does, which is what lets `sideEffects: false` hold', () => {
    const bare = sources.flatMap(({ path, imports }) =>
      imports.filter(({ isBare }) => isBare).map(({ specifier }) => `${path}: ${specifier}`),
    )
    expect(bare).toEqual([])
  })

  test('index.ts only passes on', () => {
    for (const { path, ownStatements } of sources)
      if (path === 'src/index.ts') expect(ownStatements, 'statements of its own').toBe(0)
  })
})

describe('what the package loads', () => {
  const external = sources.flatMap(({ path, imports }) =>
    imports.filter(({ target, isTypeOnly }) => target === undefined && !isTypeOnly).map((it) => ({ path, ...it })),
  )

  test('the costly is loaded on first use', () => {
    const early = external.filter(
      ({ path, specifier, isLazy }) =>
        !isLazy &&
        roomOf(path) !== 'cli' &&
        NEVER_AT_IMPORT.some((it) => specifier === it || specifier.startsWith(`${it}/`)),
    )
    expect(early.map(({ path, specifier }) => `${path}: ${specifier}`)).toEqual([])
  })

  test('the price data is loaded on first use', () => {
    const needs = (target: (path: string) => boolean) =>
      sources.flatMap(({ path, imports }) =>
        imports.filter((it) => it.target && target(it.target) && !it.isLazy && !it.isTypeOnly).map(() => path),
      )
    expect(needs((path) => path.startsWith(PRICE_DATA))).toEqual([WHOLE_BOOK])
    expect(needs((path) => path === WHOLE_BOOK)).toEqual([])
  })

  test('built-ins are imported by their `node:` name, and every package is declared', () => {
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]
    const unknown = external.filter(
      ({ path, specifier }) =>
        !specifier.startsWith('node:') &&
        specifier !== '(computed)' &&
        !(roomOf(path) === 'dashboard' && BUNDLED.includes(specifier)) &&
        !declared.some((name) => specifier === name || specifier.startsWith(`${name}/`)),
    )
    expect(unknown.map(({ path, specifier }) => `${path}: ${specifier}`)).toEqual([])
  })

  test('`import()` of a computed name stays out of the library: its CommonJS build would turn it into `require`', () => {
    const computed = external.filter(({ path, specifier }) => specifier === '(computed)' && roomOf(path) !== 'cli')
    expect(computed.map(({ path }) => path)).toEqual([])
  })
})

describe('files', () => {
  test('no folder is a drawer for what has no place', () => {
    const folders = files.flatMap((path) => path.split('/').slice(0, -1))
    expect([...new Set(folders)].filter((folder) => FORBIDDEN_FOLDERS.includes(folder))).toEqual([])
  })

  test('names are kebab-case', () => {
    expect(sources.map(({ path }) => path).filter((path) => !/^[a-z0-9/-]+(\.d)?\.tsx?$/.test(path))).toEqual([])
  })

  test('a file that grows large has a reason, and none has an excuse', () => {
    const large = sources.filter(({ path, lines }) => lines > USUAL_LINES && !path.startsWith(PRICE_DATA))
    expect(large.filter(({ path }) => !(path in LARGE_FILES)).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([])
    expect(large.filter(({ lines }) => lines > MOST_LINES).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([])
    expect(Object.keys(LARGE_FILES).filter((path) => !large.some((it) => it.path === path))).toEqual([])
  })

  test('`any` is written only where an SDK is met', () => {
    const anys = sources.flatMap(({ path, anys }) => anys.map((line) => `${path}:${line}`))
    expect(anys.filter((place) => !place.startsWith('src/patch/'))).toEqual([])
  })

  test('a comment at the top of each source says what it is for', () => {
    expect(
      sources.map(({ path }) => path).filter((path) => !/^(#!.*\n)?(\/\/ |\/\*[*!])/.test(readText(path))),
    ).toEqual([])
  })
})

describe('texts', () => {
  const texts = files.filter(
    (path) => /\.(ts|mts|cts|mjs|cjs|js|json|md|yml|html|css)$|^\.ci\//.test(path) && !/package-lock\.json$/.test(path),
  )
  const found = (pattern: RegExp, inside = texts): string[] => inside.filter((path) => pattern.test(readText(path)))

  test('nothing is left to do', () => {
    const marker = ['TO', 'DO'].join('')
    expect(found(new RegExp(`\\b(${marker}|FIX${'ME'}|XX${'X'}|HA${'CK'})\\b`))).toEqual([])
  })

  test('no package host is named', () => {
    expect(found(/\bregistry\.[a-z0-9-]+\.[a-z]{2,}|\bnpm\.pkg\.[a-z]/i)).toEqual([])
  })

  test('no ticket or tool that wrote a line is named', () => {
    const credit = /\b(co-authored|generated with|generated by ai|as an ai|(issue|ticket|PR) #\d)/i
    const others = texts.filter((path) => path !== 'test/architecture.test.ts')
    expect(found(credit, others)).toEqual([])
  })
})

describe('locks', () => {
  test.each(LOCKS.map((file) => [relative(root, file), file]))('%s is complete and names no host', (_, file) => {
    expect(lockFaults(file)).toEqual([])
  })
})

describe('providers', () => {
  const folder = join(root, 'src/providers')
  const index = existsSync(join(folder, 'index.ts')) ? readText('src/providers/index.ts') : ''
  const imported = [...index.matchAll(/from '\.\/([a-z0-9-]+)\.ts'/g)].map(([, name = '']) => name)
  /** Those that declare a provider: a shape shared by several wires has no hosts of its own. */
  const declared = readdirSync(folder).filter((name) =>
    /: Provider = \{|satisfies Provider/.test(readText(`src/providers/${name}`)),
  )

  test('each is in the list', () => {
    expect(declared.map((name) => name.replace(/\.ts$/, '')).filter((name) => !imported.includes(name))).toEqual([])
  })

  test.each(declared.map((name) => [name.replace(/\.ts$/, '')]))(
    '%s has recorded answers to be tested against',
    (name) => {
      expect(existsSync(join(root, 'test/fixtures', name))).toBe(true)
    },
  )
})
