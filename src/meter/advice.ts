// What an application's own manifest says of copies that no patch can reach: those inside of a bundle.

import { PACKAGES } from '../patch/locate.ts'

const DOCS = 'docs/loading.md of the package says how'

interface Hint {
  /** Packages of which one is enough. */
  readonly packages: readonly string[]
  /** No hint where the configuration has this. */
  readonly unless?: { readonly files: RegExp; readonly text: RegExp }
  /** Only where something is missing: most who have it bundle no SDK. */
  readonly isForMissing?: boolean
  readonly advice: string
}

const HINTS: readonly Hint[] = [
  {
    packages: ['next'],
    unless: { files: /^next\.config\.[cm]?[jt]s$/, text: /serverExternalPackages/ },
    advice: `Next.js bundles the SDKs, and patchAll() sees what a bundled copy does through \`fetch\` alone: name tallygate and the SDKs in \`serverExternalPackages\`, or call meter.patch(name, { modules: [...] }) in the module that makes the client; ${DOCS}.`,
  },
  {
    packages: ['esbuild', 'tsup', 'tsdown', 'rollup', 'rolldown', 'webpack', '@rspack/core', '@vercel/ncc', 'parcel'],
    isForMissing: true,
    advice: `A bundler is installed: where it bundles the SDKs into the application, patchAll() sees what they do through \`fetch\` alone. Keep them external, or call meter.patch(name, { modules: [...] }) in the module that makes the client; ${DOCS}.`,
  },
]

/** What was seen besides: packages of SDKs that were found, and whether calls went past the meter. */
interface Seen {
  readonly found: ReadonlySet<string>
  readonly isMissing: boolean
}

/** One sentence or two for each thing that the folder's `package.json` and its neighbours give cause for. */
export function adviceFor(folder: string, { found, isMissing }: Seen): readonly string[] {
  const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs')
  const { join } = process.getBuiltinModule('node:path')
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8')
    } catch {
      return ''
    }
  }
  const has = ({ files, text }: NonNullable<Hint['unless']>): boolean => {
    try {
      return readdirSync(folder).some((name) => files.test(name) && text.test(read(name)))
    } catch {
      return false
    }
  }
  const packages = dependenciesIn(read('package.json'))
  const isAnyMissing = isMissing || Object.values(PACKAGES).some((name) => packages.has(name) && !found.has(name))
  return HINTS.filter(
    ({ packages: any, unless, isForMissing }) =>
      any.some((name) => packages.has(name)) && !(unless && has(unless)) && (isAnyMissing || !isForMissing),
  ).map(({ advice }) => advice)
}

function dependenciesIn(manifest: string): ReadonlySet<string> {
  try {
    const { dependencies, devDependencies } = JSON.parse(manifest) as Record<string, Record<string, string> | undefined>
    return new Set([...Object.keys(dependencies ?? {}), ...Object.keys(devDependencies ?? {})])
  } catch {
    return new Set()
  }
}
