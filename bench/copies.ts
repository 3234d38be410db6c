// Copies of an SDK in one process: one that is patched beside one that never was, each compiled for itself.

import { createRequire, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    const copy = context.parentURL?.startsWith('file:') && new URL(context.parentURL).searchParams.get('copy')
    if (!copy || !specifier.startsWith('.') || !resolved.url.startsWith('file:')) return resolved
    return { ...resolved, url: `${resolved.url}?copy=${copy}` }
  },
})

export interface Package {
  readonly name: string
  readonly version: string
}

/** An SDK as the app in `test/apps/<app>` resolves it; `.` for the repository's own. */
export async function copyOf<Module>(app: 'current' | 'next' | '.', name: string, copy: string): Promise<Module> {
  return (await import(`${pathToFileURL(esmOf(app, name)).href}?copy=${copy}`)) as Module
}

export function packageOf(app: 'current' | 'next' | '.', name: string): Package {
  const folder = esmOf(app, name).split(`/node_modules/${name}/`)[0]
  const { version } = createRequire(import.meta.url)(`${folder}/node_modules/${name}/package.json`) as Package
  return { name, version }
}

function esmOf(app: 'current' | 'next' | '.', name: string): string {
  const base = app === '.' ? '../package.json' : `../test/apps/${app}/package.json`
  const require = createRequire(new URL(base, import.meta.url))
  return require.resolve(name).replace(/[^/]+$/, 'index.mjs')
}
