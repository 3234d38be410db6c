// @ts-check
// Compiles test/types against the packed package as applications do: ESM and CommonJS, old and new compilers, libraries checked.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'
import { install, pack } from './packed.mjs'

const COMPILERS = ['typescript', 'typescript-5.4', 'typescript-7']
const SHAPES = [
  { suffix: 'mts', module: 'nodenext', moduleResolution: 'nodenext' },
  { suffix: 'cts', module: 'node16', moduleResolution: 'node16' },
  { suffix: 'ts', module: 'esnext', moduleResolution: 'bundler' },
]

/** @param {string} folder where the package is installed @returns {string[]} what did not compile */
export function consumerFaults(folder) {
  // Only what an application has besides: the types of Node. The SDKs stay out, as they do for most users of each.
  for (const name of ['@types/node', 'undici-types'])
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true })
  const compilers = COMPILERS.flatMap((compiler) => {
    const tsc = compilerPath(compiler)
    if (!tsc) console.log(`${compiler} is not here: \`npm run test:matrix\` brings it.`)
    return tsc ? [{ compiler, tsc }] : []
  })
  const faults = []
  for (const { suffix, module, moduleResolution } of SHAPES) {
    const shape = join(folder, suffix)
    mkdirSync(shape)
    for (const { name, text } of sources()) writeFileSync(join(shape, `${name}.${suffix}`), text)
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    }
    writeFileSync(join(shape, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }))
    for (const { compiler, tsc } of compilers) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', shape], { encoding: 'utf8' })
      console.log(`${compiler}, ${moduleResolution}, .${suffix}: ${status === 0 ? 'compiles' : 'FAILED'}`)
      if (status !== 0) faults.push(`${compiler} with ${moduleResolution} (.${suffix}):\n${stdout}${stderr}`)
    }
  }
  return faults
}

/** Every path that the package exports, and each type test that needs nothing besides. @returns {{ name: string, text: string }[]} */
function sources() {
  const { name: packageName, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const paths = Object.keys(exports).filter((path) => !path.endsWith('.json'))
  const everything = paths.map((path, i) => `export * as path${i} from '${packageName}${path.slice(1)}'`).join('\n')
  const folder = join(root, 'test/types')
  const names = existsSync(folder) ? readdirSync(folder) : []
  const tests = names
    .filter((name) => name.endsWith('.test-d.ts'))
    .map((name) => ({ name: name.slice(0, -'.ts'.length), text: readFileSync(join(folder, name), 'utf8') }))
    .filter(({ text }) =>
      [...text.matchAll(/ from '([^']+)'/g)].every(([, from]) => /^(tallygate|node:)/.test(from ?? '')),
    )
  return [{ name: 'everything', text: everything }, ...tests]
}

/** @param {string} name */
function compilerPath(name) {
  const home = name === 'typescript' ? root : join(root, 'tools/matrix')
  const manifest = join(home, 'node_modules', name, 'package.json')
  if (!existsSync(manifest)) return undefined
  return join(manifest, '..', createRequire(manifest)(manifest).bin.tsc)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  buildIfStale()
  const packed = pack()
  const app = install(packed.tarball)
  try {
    const faults = consumerFaults(app.folder)
    if (faults.length > 0) {
      console.log(faults.join('\n'))
      process.exitCode = 1
    }
  } finally {
    app[Symbol.dispose]()
    packed[Symbol.dispose]()
  }
}
