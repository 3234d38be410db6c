// Packages that bring an SDK copy of their own: the second place to look for copies, after what the application resolves.

import type { Dirent } from 'node:fs'

/** Where each search led: an application's packages do not change while it runs. */
const known = new Map<string, readonly string[]>()

/**
 * The folders below `folder` and its parents from which `packageName` may resolve to another copy than it does for the
 * application itself. Looks at names only, one a package: some 3 us each.
 */
export function dependantsOf(packageName: string, folder: string): readonly string[] {
  const key = `${packageName}\n${folder}`
  let found = known.get(key)
  if (!found) known.set(key, (found = search(packageName, folder)))
  return found
}

function search(packageName: string, folder: string): string[] {
  const { existsSync, readdirSync, realpathSync } = process.getBuiltinModule('node:fs')
  const { dirname, join } = process.getBuiltinModule('node:path')
  const found: string[] = []

  /** Those of one `node_modules` folder; `isNested`: a folder within another package, whose own copy counts too. */
  function look(modules: string, isNested: boolean): void {
    if (isNested && existsSync(join(modules, packageName))) found.push(dirname(modules))
    for (const entry of list(modules)) {
      if (entry.name === '.bin' || entry.name === packageName) continue
      const path = join(modules, entry.name)
      if (entry.name.startsWith('@')) {
        for (const scoped of list(path)) visit(scoped, join(path, scoped.name))
      } else visit(entry, path)
    }
  }

  function visit(entry: Dirent, path: string): void {
    if (entry.isDirectory()) {
      const own = join(path, 'node_modules')
      if (existsSync(own)) look(own, true)
    } else if (entry.isSymbolicLink()) {
      // pnpm, and yarn in its manner, link a package into a store within `node_modules`, beside what it depends on. Any
      // other link is a workspace: another application, whose SDKs are not this one's.
      const modules = /^(.*[\\/]node_modules[\\/]\.[^\\/]+[\\/].*[\\/]?node_modules)[\\/]/.exec(realOf(path))?.[1]
      if (modules && existsSync(join(modules, packageName))) found.push(dirname(modules))
    }
  }

  function realOf(link: string): string {
    try {
      return realpathSync(link)
    } catch {
      return ''
    }
  }

  function list(path: string): Dirent[] {
    try {
      return readdirSync(path, { withFileTypes: true })
    } catch {
      return []
    }
  }

  for (let at = folder; ; at = dirname(at)) {
    look(join(at, 'node_modules'), false)
    if (at === dirname(at)) return found
  }
}
