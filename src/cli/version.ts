// The version of this package, as its manifest says.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

export function version(): string {
  // By its name: a bundler may move this code to another folder of the package.
  const manifest = createRequire(import.meta.url).resolve('tallygate/package.json')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
