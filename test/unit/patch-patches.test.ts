// What `patch` finds and says, with the SDKs that are installed here.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Observer } from '../../src/patch/exchange.ts'
import { locate } from '../../src/patch/locate.ts'
import { createPatches } from '../../src/patch/patches.ts'

const require = createRequire(import.meta.url)

function patches() {
  const problems: string[] = []
  const observer: Observer = {
    capture: () => undefined,
    knowsHost: () => false,
    begin: () => undefined,
    resume: (_, fn) => fn(),
    problem: (message) => void problems.push(message),
  }
  const made = createPatches(observer)
  onTestFinished(() => made.unpatchAll())
  return { problems, ...made }
}

/** A folder with a package in it, as the working directory of the application. */
function folderWith(name: string, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-app-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const home = join(folder, 'node_modules', name)
  mkdirSync(home, { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(home, file), text)
  vi.spyOn(process, 'cwd').mockReturnValue(folder)
  return home
}

// The main script of a test run resolves SDKs of its own.
const [, main] = process.argv
beforeEach(() => {
  process.argv[1] = join(tmpdir(), 'no-such-script.js')
})
afterEach(() => {
  process.argv[1] = main!
  vi.restoreAllMocks()
})

describe('what is installed', () => {
  test.each([
    ['openai', 'openai', '6.49.0'],
    ['anthropic', '@anthropic-ai/sdk', '1.12.0'],
    ['google', '@google/genai', '2.32.0'],
    ['groq', 'groq-sdk', '1.6.0'],
  ] as const)('%s is found in both builds, with its version', (sdk, packageName, version) => {
    const { loaded, unloaded } = locate(sdk)
    const own = loaded.slice(0, 2)
    expect(own.map(({ format }) => format)).toEqual(['cjs', 'esm'])
    for (const copy of own) {
      expect(copy.version).toBe(version)
      expect(copy.path).toContain(join('node_modules', packageName))
    }
    expect(unloaded).toEqual([])
  })

  test('is patched once for a working directory and a main script that resolve the same', () => {
    process.argv[1] = require.resolve('vitest')
    const paths = locate('openai').loaded.map(({ path }) => path)
    expect(new Set(paths).size).toBe(paths.length)
  })

  test('the copies that other packages bring are found beside it', () => {
    const nested = join('node_modules/@langchain/openai/node_modules/openai', 'index')
    const copies = locate('openai').loaded.filter(({ path }) => path.includes(nested))
    expect(copies.map(({ format, version }) => [format, version])).toEqual([
      ['cjs', '7.57.0'],
      ['esm', '7.57.0'],
    ])
  })

  test('is reported, and patching twice changes nothing', () => {
    const { patchAll, problems, unpatchAll } = patches()
    const before = Object.getOwnPropertyDescriptor(OpenAI.prototype, 'makeRequest')
    const report = patchAll()
    const patched = Object.getOwnPropertyDescriptor(OpenAI.prototype, 'makeRequest')
    expect(report.sdks.map(({ sdk, status }) => [sdk, status])).toEqual([
      ['openai', 'patched'],
      ['anthropic', 'patched'],
      ['google', 'patched'],
      ['groq', 'patched'],
    ])
    expect(patchAll()).toEqual(report)
    expect(Object.getOwnPropertyDescriptor(OpenAI.prototype, 'makeRequest')).toEqual(patched)
    unpatchAll()
    expect(Object.getOwnPropertyDescriptor(OpenAI.prototype, 'makeRequest')).toEqual(before)
    expect(problems).toEqual([])
  })
})

describe('what is not there, or not as it should be', () => {
  test('an SDK that is not installed is said to be so, and nothing throws', () => {
    vi.spyOn(process, 'cwd').mockReturnValue(mkdtempSync(join(tmpdir(), 'tallygate-empty-')))
    const { patchAll, problems } = patches()
    expect(patchAll(['openai', 'google']).sdks).toEqual([
      { sdk: 'openai', status: 'not-installed', copies: [] },
      { sdk: 'google', status: 'not-installed', copies: [] },
    ])
    expect(problems).toEqual([])
  })

  test('a build that does not load is named, with a way out', () => {
    folderWith('openai', {
      'package.json': '{"name":"openai","version":"9.9.9","main":"index.js"}',
      'index.js': 'throw Object.assign(new Error("secret"), { code: "ERR_BROKEN" })',
    })
    const { patch, problems } = patches()
    expect(patch('openai')).toMatchObject({
      status: 'failed',
      copies: [{ format: 'cjs', isPatched: false, reason: 'ERR_BROKEN' }],
    })
    expect(problems).toEqual([expect.stringContaining("meter.patch('openai', { modules: [...] })")])
    expect(problems.join()).not.toContain('secret')
  })

  test('a version without the seam is said to be unsupported, and the others are patched', () => {
    folderWith('openai', {
      'package.json': '{"name":"openai","version":"3.0.0","main":"index.js"}',
      'index.js': 'exports.OpenAI = class OpenAI {}',
      'index.mjs': 'export class OpenAI { makeRequest() {} }; export default OpenAI',
    })
    const { patch, problems } = patches()
    const report = patch('openai')
    expect(report).toMatchObject({
      status: 'partial',
      copies: [
        { format: 'cjs', version: '3.0.0', isPatched: false },
        { format: 'esm', version: '3.0.0', isPatched: true },
      ],
    })
    expect(problems).toHaveLength(1)
  })

  test('a package.json that cannot be read costs the version and nothing else', () => {
    const home = folderWith('openai', {
      'package.json': '{"name":"openai","main":"index.js"}',
      'index.js': 'exports.OpenAI = class OpenAI { makeRequest() {} }',
    })
    require(home)
    writeFileSync(join(home, 'package.json'), '{"name":')
    expect(locate('openai').loaded.map(({ version }) => version)).toEqual([undefined])
  })
})

describe('what an application hands over', () => {
  test.each([
    ['openai', 'its class', OpenAI],
    ['openai', 'a class of its own', class Mine extends OpenAI {}],
    ['openai', 'the module', { default: OpenAI }],
    ['openai', 'the CommonJS wrapper', require('openai')],
    ['anthropic', 'its class', Anthropic],
    ['anthropic', 'the CommonJS wrapper', require('@anthropic-ai/sdk')],
    ['google', 'its class', GoogleGenAI],
    ['google', 'the module', require('@google/genai')],
  ] as const)('%s: %s is patched', (sdk, _, module) => {
    const { patch, problems } = patches()
    expect(patch(sdk, [module])).toEqual({
      sdk,
      status: 'patched',
      copies: [{ path: undefined, format: 'given', version: undefined, isPatched: true }],
    })
    expect(problems).toEqual([])
  })

  test.each([
    ['openai', undefined],
    ['openai', null],
    ['openai', {}],
    ['openai', 'openai'],
    ['openai', class {}],
    ['openai', Object.freeze({ OpenAI: class {} })],
    ['anthropic', 42],
    ['google', {}],
    ['google', class {}],
    ['google', () => undefined],
  ] as const)('%s: %j is not, which is reported and thrown at nobody', (sdk, module) => {
    const { patch, problems } = patches()
    const report = patch(sdk, [module])
    expect(report.status).toBe('failed')
    expect(report.copies[0]?.reason).toMatch(/\.$|^patching failed/)
    expect(problems).toHaveLength(1)
  })
})

describe('a client', () => {
  test.each([
    ['openai', () => new OpenAI({ apiKey: 'x' })],
    ['anthropic', () => new Anthropic({ apiKey: 'x' })],
    ['google', () => new GoogleGenAI({ apiKey: 'x' })],
  ])('of %s is wrapped, given back, and undressed', (_, make) => {
    const { wrap, unpatchAll } = patches()
    const client = make()
    const target = (client as { apiClient?: object }).apiClient ?? client
    const before = Object.getOwnPropertyDescriptors(target)
    expect(wrap(client)).toBe(client)
    expect(wrap(client)).toBe(client)
    expect(Object.getOwnPropertyDescriptors(target)).not.toEqual(before)
    unpatchAll()
    expect(Object.getOwnPropertyDescriptors(target)).toEqual(before)
  })

  test.each([undefined, null, {}, 'x', () => {}])('that is none, %j, is refused in one sentence', (client) => {
    expect(() => patches().wrap(client as object)).toThrow('Expected `client` to be a client of openai')
  })
})

test('two who patch the same are one patch, which stands until the second has left', () => {
  const seam = () => Object.getOwnPropertyDescriptor(OpenAI.prototype, 'makeRequest')?.value as unknown
  const original = seam()
  const [first, second] = [patches(), patches()]
  first.patch('openai', [OpenAI])
  const patched = seam()
  second.patch('openai', [OpenAI])
  expect(seam()).toBe(patched)
  first.unpatchAll()
  expect(seam()).toBe(patched)
  second.unpatchAll()
  expect(seam()).toBe(original)
})
