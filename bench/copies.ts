// The SDKs as an application resolves them: the repository's own, and those of its test applications.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

export type App = 'current' | 'next' | '.'

/** As the app in `test/apps/<app>` resolves it; `.` for the repository's own. */
export async function load<Module>(app: App, name: string): Promise<Module> {
  return (await import(pathToFileURL(esmOf(app, name)).href)) as Module
}

export function versionOf(app: App, name: string): string {
  const folder = esmOf(app, name).split(`/node_modules/${name}/`)[0]
  const manifest = `${folder}/node_modules/${name}/package.json`
  return (createRequire(import.meta.url)(manifest) as { version: string }).version
}

function esmOf(app: App, name: string): string {
  const base = app === '.' ? '../package.json' : `../test/apps/${app}/package.json`
  const require = createRequire(new URL(base, import.meta.url))
  return require.resolve(name).replace(/[^/]+$/, 'index.mjs')
}
