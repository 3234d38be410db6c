// The copies of the openai SDK that its surfaces are tried with, each typed as the root's: the newest of two majors.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import OpenAI, { toFile } from 'openai'

const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
const file = require.resolve('openai').replace(/[^/]+$/, 'index.mjs')
const next = (await import(pathToFileURL(file).href)) as typeof import('openai')

export interface OpenAICopy {
  readonly Client: typeof OpenAI
  readonly toFile: typeof toFile
}

export const copies: readonly (readonly [version: string, copy: OpenAICopy])[] = [
  ['6.49', { Client: OpenAI, toFile }],
  ['7.57', { Client: next.default, toFile: next.toFile }],
]
