// @ts-check
// One small application for each way of loading SDKs and this package: written, bundled, run, and asked what was metered.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './entries.mjs'

/**
 * @typedef {object} Setup
 * @property {string} title
 * @property {'esm' | 'cjs'} app the module system of the application
 * @property {'import' | 'require'} library how it loads this package
 * @property {boolean} [nested] it calls through LangChain, which brings an SDK copy of its own
 * @property {{ format: 'esm' | 'cjs', sdks: boolean, library: boolean, minify?: boolean }} [bundle] what esbuild puts into the one file
 *
 * @typedef {'patchAll' | 'sdks' | 'modules' | 'register'} How
 * @typedef {object} Played
 * @property {Record<string, boolean>} metered by SDK
 * @property {boolean} isSaid the process warned of each call that was not metered, and of no other
 */

export const HOWS = /** @type {const} */ (['patchAll', 'sdks', 'modules', 'register'])

/** @param {string} title @param {NonNullable<Setup['bundle']>} bundle @param {'esm' | 'cjs'} [app] @returns {Setup} */
const bundled = (title, bundle, app = 'esm') => ({
  title,
  app,
  library: app === 'esm' ? 'import' : 'require',
  bundle,
})

/** @type {readonly Setup[]} */
export const SETUPS = [
  { title: 'ESM app', app: 'esm', library: 'import' },
  { title: 'ESM app, tallygate by `require`', app: 'esm', library: 'require' },
  { title: 'CommonJS app', app: 'cjs', library: 'require' },
  { title: 'CommonJS app, tallygate by `import()`', app: 'cjs', library: 'import' },
  { title: 'ESM app, an SDK nested in another package', app: 'esm', library: 'import', nested: true },
  { title: 'CommonJS app, an SDK nested in another package', app: 'cjs', library: 'require', nested: true },
  bundled('esbuild, everything in one ESM file', { format: 'esm', sdks: true, library: true }),
  bundled('esbuild, everything in one CommonJS file', { format: 'cjs', sdks: true, library: true }),
  bundled('esbuild, everything, minified', { format: 'esm', sdks: true, library: true, minify: true }),
  bundled('esbuild, everything of a CommonJS app', { format: 'cjs', sdks: true, library: true }, 'cjs'),
  bundled('esbuild, SDKs bundled, tallygate external, ESM', { format: 'esm', sdks: true, library: false }),
  bundled('esbuild, SDKs bundled, tallygate external, CommonJS', { format: 'cjs', sdks: true, library: false }),
  bundled('esbuild, SDKs bundled and minified, tallygate external', {
    format: 'esm',
    sdks: true,
    library: false,
    minify: true,
  }),
  bundled('esbuild, SDKs external, tallygate bundled, ESM', { format: 'esm', sdks: false, library: true }),
  bundled('esbuild, SDKs external, tallygate bundled, CommonJS', { format: 'cjs', sdks: false, library: true }),
  bundled('esbuild, packages external, ESM', { format: 'esm', sdks: false, library: false }),
  bundled('esbuild, packages external, CommonJS', { format: 'cjs', sdks: false, library: false }),
]

export const PACKAGES = /** @type {const} */ ({
  openai: 'openai',
  anthropic: '@anthropic-ai/sdk',
  google: '@google/genai',
})

/** A folder as an application has it: the SDKs of this repository, and this package as it was built. */
export function appFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-loading-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'app/node_modules'), { recursive: true })
  symlinkSync(root, join(folder, 'app/node_modules/tallygate'))
  return { folder: join(folder, 'app'), [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Writes the application, and bundles it where that is asked for; gives the file to run. @param {string} folder @param {Setup} setup @param {How} how */
export async function write(folder, setup, how) {
  const name = `${SETUPS.indexOf(setup)}-${how}`
  const source = join(folder, `${name}.${setup.app === 'esm' ? 'mjs' : 'cjs'}`)
  writeFileSync(source, textOf(setup, how))
  const { bundle } = setup
  if (!bundle) return source
  const esbuild = await import('esbuild')
  const outfile = join(folder, `${name}.out.${bundle.format === 'esm' ? 'mjs' : 'cjs'}`)
  const external = [...(bundle.sdks ? [] : Object.values(PACKAGES)), ...(bundle.library ? [] : ['tallygate'])]
  await esbuild.build({
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    format: bundle.format,
    minify: bundle.minify === true,
    external: external.flatMap((one) => [one, `${one}/*`]),
    logLevel: 'error',
    // What esbuild's own documentation gives for CommonJS packages within an ESM file.
    ...(bundle.format === 'esm' && {
      banner: {
        js: `import { createRequire as bannerRequire } from 'node:module';const require = bannerRequire(import.meta.url);`,
      },
    }),
  })
  return outfile
}

/** @param {Setup} setup @param {How} how */
function textOf({ app, library, nested }, how) {
  const sdks = nested
    ? { ChatOpenAI: '@langchain/openai' }
    : { OpenAI: PACKAGES.openai, Anthropic: PACKAGES.anthropic, GoogleGenAI: PACKAGES.google }
  const ours = how === 'register' ? 'tallygate/register' : 'tallygate'
  const take = how === 'register' ? 'meter' : 'Meter'
  const isLate = library === 'import' && app === 'cjs'
  const load = (/** @type {string} */ name, /** @type {string} */ from) =>
    app === 'esm' ? `import { ${name} } from '${from}'` : `const { ${name} } = require('${from}')`
  return [
    ...(app === 'esm' ? [`import { createRequire } from 'node:module'`] : []),
    ...Object.entries(sdks).map(([name, from]) => load(name, from)),
    ...(library === 'require' && app === 'esm'
      ? [`const { ${take} } = createRequire(import.meta.url)('${ours}')`]
      : isLate
        ? []
        : [load(take, ours)]),
    `const said = []`,
    `process.on('warning', ({ name, message }) => name === 'TallygateWarning' && said.push(message))`,
    `const { openai, anthropic, google, hosts } = JSON.parse(process.env.PROVIDERS)`,
    `async function main() {`,
    ...(isLate ? [`  const { ${take} } = await import('${ours}')`] : []),
    ...(how === 'register'
      ? []
      : [
          `  const sink = { name: 'none', send: async () => ({ outcome: 'delivered' }) }`,
          `  const meter = new Meter({ hosts, sinks: [sink], onMissingTenant: 'record'${how === 'sdks' ? `, patches: ['openai', 'anthropic', 'google']` : ''} })`,
        ]),
    ...(how === 'patchAll' || how === 'sdks' ? [`  meter.patchAll()`] : []),
    ...(how === 'modules' ? patches(app, nested).map((line) => `  ${line}`) : []),
    ...(nested ? NESTED_CALL : CALLS),
    `  await meter.flush()`,
    `  await new Promise((resolve) => setImmediate(resolve))`,
    `  const { calls, coverage } = meter.stats()`,
    `  process.stdout.write(JSON.stringify({ calls, coverage, said }))`,
    `}`,
    `main().catch((error) => { console.error(error); process.exitCode = 1 })`,
    ``,
  ].join('\n')
}

const CALLS = `
  const messages = [{ role: 'user', content: 'How deep is the sea?' }]
  await new OpenAI({ ...openai, apiKey: 'any' }).chat.completions.create({ model: 'gpt-4o', messages })
  await new Anthropic({ ...anthropic, apiKey: 'any' }).messages.create({ model: 'claude-sonnet-4-6', max_tokens: 100, messages })
  const gemini = new GoogleGenAI({ apiKey: 'any', vertexai: false, httpOptions: { baseUrl: google.baseURL } })
  await gemini.models.generateContent({ model: 'gemini-2.5-flash', contents: 'How deep is the sea?' })
`.split('\n')

const NESTED_CALL = [
  `  await new ChatOpenAI({ model: 'gpt-4o', apiKey: 'any', configuration: openai }).invoke('How deep is the sea?')`,
]

/** @param {'esm' | 'cjs'} app @param {boolean | undefined} nested */
function patches(app, nested) {
  if (!nested)
    return [
      `meter.patch('openai', { modules: [OpenAI] })`,
      `meter.patch('anthropic', { modules: [Anthropic] })`,
      `meter.patch('google', { modules: [GoogleGenAI] })`,
    ]
  // The copy that the package itself resolves, in the build that it loads.
  const require = app === 'esm' ? 'createRequire(import.meta.url)' : 'require'
  const at = `${require}.resolve('@langchain/openai')`
  return app === 'esm'
    ? [
        `const { pathToFileURL } = await import('node:url')`,
        `const path = createRequire(${at}).resolve('openai').replace(/js$/, 'mjs')`,
        `meter.patch('openai', { modules: [await import(pathToFileURL(path).href)] })`,
      ]
    : [`meter.patch('openai', { modules: [require('node:module').createRequire(${at})('openai')] })`]
}

/**
 * Runs an application that was written; its emulator is the caller's.
 * @param {string} file @param {How} how @param {{ folder: string, emulator: import('tallygate/emulator').Emulator, node?: string }} place
 * @returns {Promise<Played>}
 */
export async function play(file, how, { folder, emulator, node = process.execPath }) {
  const { openai, anthropic, google, hosts } = emulator
  const { PATH, HOME, TMPDIR } = process.env
  const env = {
    PATH,
    HOME,
    TMPDIR,
    PROVIDERS: JSON.stringify({ openai, anthropic, google, hosts }),
    ...(how === 'register' && {
      TALLYGATE_DIR: join(folder, '.tallygate', String(process.hrtime.bigint())),
      TALLYGATE_HOSTS: Object.entries(hosts)
        .map((entry) => entry.join('='))
        .join(','),
      TALLYGATE_ON_MISSING_TENANT: 'record',
    }),
  }
  const args = [...(how === 'register' ? ['--import', 'tallygate/register'] : []), file]
  const { stdout, stderr } = await new Promise((resolve, reject) =>
    execFile(node, args, { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) =>
      error ? reject(new Error(`${file} failed:\n${stderr}`)) : resolve({ stdout, stderr }),
    ),
  )
  /** @type {{ calls: number, coverage: Record<string, { provider: string, seen: number, metered: number }>, said: string[] }} */
  const { calls, coverage, said } = JSON.parse(stdout)
  const entries = Object.entries(coverage)
  const metered = entries.reduce((sum, [, host]) => sum + host.metered, 0)
  // Two ways of counting that know nothing of each other.
  if (metered !== calls)
    throw new Error(`${file}: ${metered} requests were metered, and ${calls} calls recorded.\n${stderr}`)
  const isSaid = entries.every(
    ([host, { seen, metered }]) =>
      said.some((it) => it.includes(host) && it.includes('past the meter')) === seen > metered,
  )
  return {
    metered: Object.fromEntries(entries.map(([, { provider, seen, metered }]) => [provider, seen === metered])),
    isSaid,
  }
}
