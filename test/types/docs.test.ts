// Every TypeScript block of the documentation, and every @example of a docstring, compiles against the package's own types.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** What an example may take for granted. */
const GIVEN = `
import type OpenAI_ from 'openai'
import type AnthropicClient from '@anthropic-ai/sdk'
import type { GoogleGenAI as GenAi } from '@google/genai'
import type { Meter as TheMeter } from 'tallygate'
declare global {
  const meter: TheMeter
  const client: OpenAI_
  const openai: OpenAI_
  const anthropic: AnthropicClient
  const genai: GenAi
  const messages: OpenAI_.ChatCompletionMessageParam[]
  const apiKey: string
  const tenantId: string
  const emulator: import('tallygate/emulator').Emulator
  const app: { all(path: string, handler: (context: { req: { raw: Request } }) => Promise<Response>): void }
  const { afterAll, afterEach, beforeAll }: typeof import('vitest')
  const OpenAI: typeof import('openai').default
  function expect(value: unknown): { toBe(other: unknown): void; toEqual(other: unknown): void; toMatchObject(other: object): void }
  const request: Request
  function handler(): Promise<void>
  function handle(request: Request): Promise<void>
  function upgradePrompt(...args: unknown[]): void
}
`

const EXPORTS: Readonly<Record<string, readonly string[]>> = {
  tallygate: ['Meter', 'LimitExceededError', 'MissingTenantError', 'MeterError', 'defineProvider'],
  'tallygate/sinks': [
    'fanOut',
    'filter',
    'genAiAttributes',
    'httpSink',
    'jsonlSink',
    'map',
    'memorySink',
    'openTelemetrySink',
    'postgresLedger',
    'sqliteLedger',
    'stripeSink',
  ],
  'tallygate/pricing': ['priceResponse', 'loadPrices'],
  'tallygate/emulator': ['startEmulator'],
  'tallygate/server': ['serve', 'createIngest'],
  'tallygate/alerts': ['callback', 'slack', 'verifyAlert', 'watchAlerts', 'webhook'],
}

interface Block {
  readonly name: string
  readonly code: string
}

function blocksOf(file: string): Block[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^```(?:ts|typescript)\n([\s\S]*?)^```/gm)].map((match, index) => ({
    name: `${file} block ${index + 1}`,
    code: match[1]!,
  }))
}

function examplesOf(file: string): Block[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [
    ...text.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*?@example\s*\n((?:(?!\*\/)[\s\S])*?)(?:\n\s*\*\s*@|\s*\*\/)/g),
  ].map((match, index) => ({
    name: `${file} example ${index + 1}`,
    code: inFunction(file, match[1]!.replace(/^\s*\* ?/gm, '').replace(/^```.*$/gm, '')),
  }))
}

/** A docstring's example stands beside what it shows: the exports of its own file, inside some function of the reader's. */
function inFunction(file: string, code: string): string {
  const text = readFileSync(join(root, file), 'utf8')
  const own = [...text.matchAll(/^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm)].map(
    (match) => match[1]!,
  )
  const shown: readonly string[] = Object.values(EXPORTS).flat()
  const brought = (name: string) => new RegExp(`^import .*\\b${name}\\b`, 'm').test(code)
  const used = own.filter((name) => !shown.includes(name) && !brought(name) && new RegExp(`\\b${name}\\b`).test(code))
  const imports: string[] = [...(code.match(/^import .*$/gm) ?? [])]
  const body = code.replace(/^import .*$/gm, '')
  if (used.length > 0) imports.push(`import { ${used.join(', ')} } from '../../${file}'`)
  return `${imports.join('\n')}\nexport async function example() {\n${body}\n}`
}

const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.includes('pricing/data'))
  .map((name) => `src/${name}`)

const blocks = [...documents.flatMap(blocksOf), ...sources.flatMap(examplesOf)]

function compile(all: readonly Block[]): Map<string, string[]> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const files = new Map<string, string>([[join(root, 'test/types/given.d.ts'), GIVEN]])
  const nameOf = new Map<string, string>()
  all.forEach(({ name, code }, index) => {
    const path = join(root, `test/types/block-${index}.ts`)
    nameOf.set(path, name)
    files.set(path, withImports(code))
  })
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (path) => files.has(path) || fileExists(path)
  host.readFile = (path) => files.get(path) ?? readFile(path)
  host.getSourceFile = (path, version, ...rest) =>
    files.has(path) ? ts.createSourceFile(path, files.get(path)!, version) : getSourceFile(path, version, ...rest)
  const program = ts.createProgram(
    [...files.keys()],
    { ...options, verbatimModuleSyntax: false, noUnusedLocals: false },
    host,
  )
  const faults = new Map<string, string[]>()
  for (const path of nameOf.keys()) {
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(path))
    if (found.length > 0)
      faults.set(
        nameOf.get(path)!,
        found.map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')),
      )
  }
  return faults
}

/** A docstring's example leaves out the imports that its place makes plain; everything else it must bring. */
function withImports(code: string): string {
  const lines: string[] = []
  for (const [from, names] of Object.entries(EXPORTS)) {
    const used = names.filter(
      (name) => new RegExp(`\\b${name}\\b`).test(code) && !new RegExp(`import[^\\n]*\\b${name}\\b`).test(code),
    )
    if (used.length > 0) lines.push(`import { ${used.join(', ')} } from '${from}'`)
  }
  return `${lines.join('\n')}\n${code}\nexport {}\n`
}

test('there are blocks to compile', () => {
  expect(blocks.filter(({ name }) => name.startsWith('README.md')).length).toBeGreaterThan(1)
  expect(blocks.filter(({ name }) => name.startsWith('src/')).length).toBeGreaterThan(5)
})

test('every block of the documentation and every example of a docstring compiles', () => {
  expect(Object.fromEntries(compile(blocks))).toEqual({})
})

test('what an option of a meter takes can be written with the types of the main entry', () => {
  const code = `
import type { Batch, Delivery, LeaseAnswer, LeaseStep, LimitRule, LimitStore, LimitTarget, LimitWarning, MeterOptions, Sink, StoreDownPolicy } from 'tallygate'
const sink: Sink = { name: 'mine', async send(batch: Batch): Promise<Delivery> { return { outcome: 'delivered' } } }
declare const rules: LimitRule[]
const limitStore: LimitStore = {
  setLimit() {},
  removeLimit() {},
  changes: () => ({ revision: 0, rules, removed: [] }),
  accounts: (keys) => keys.map(() => undefined),
  lease: (steps: readonly LeaseStep[]): (LeaseAnswer | undefined)[] => steps.map(() => undefined),
}
const onLimitStoreDown: StoreDownPolicy = 'lease-then-deny'
const target: LimitTarget = 'acme'
const onLimitWarning = (_: LimitWarning) => {}
export const options: MeterOptions = { sinks: [sink], limitStore, onLimitStoreDown, onLimitWarning }
void meter.setLimit(target, { usd: 1 })
`
  expect(Object.fromEntries(compile([{ name: 'types', code }]))).toEqual({})
})

test('a block that does not compile is found', () => {
  const faults = compile([{ name: 'wrong', code: "meter.setLimit('acme', { dollars: 50 })" }])
  expect(faults.get('wrong')?.[0]).toContain('dollars')
})
