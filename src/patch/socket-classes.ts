// Finding the emitters below openai's socket classes: from its folder, without loading those, or from what is handed over.

import { emitterOf } from './sockets.ts'

/** Realtime stands on the first, Responses and Live on the second. */
const FILES = ['lib/EventEmitter', 'core/EventEmitter']

/** Those of the copy whose main module is at `path`; else of a class, a module with such classes, or a connection. */
export function socketEmitters(module: unknown, path: string | undefined): object[] {
  return path === undefined ? emittersOfModule(module) : emittersOfCopy(path)
}

/** Versions before 4.77 have no sockets, and neither file or another class in it. */
function emittersOfCopy(path: string): object[] {
  const { createRequire } = process.getBuiltinModule('node:module')
  const { existsSync } = process.getBuiltinModule('node:fs')
  const { dirname, extname, join } = process.getBuiltinModule('node:path')
  const require = createRequire(path)
  return FILES.map((file) => join(dirname(path), `${file}${extname(path)}`))
    .filter(existsSync)
    .map((file) => (require(file) as { EventEmitter?: { prototype: object } }).EventEmitter?.prototype)
    .filter((emitter) => emitter !== undefined && '_emit' in emitter && '_hasListener' in emitter) as object[]
}

function emittersOfModule(module: unknown): object[] {
  const own = emitterOf(module)
  if (own) return [own]
  if (typeof module !== 'object' || module === null) return []
  const found = Object.values(module).map((value) => (typeof value === 'function' ? emitterOf(value) : undefined))
  return [...new Set(found.filter((emitter) => emitter !== undefined))]
}
