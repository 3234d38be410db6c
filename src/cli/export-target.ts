// Where an export goes: standard output, or a file that is there under its name only when it is whole.

import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Stop } from './command.ts'
import type { Terminal } from './terminal.ts'

export interface ExportTarget {
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>
  /** The file is whole. */
  done(): Promise<void>
  /** Something failed: nothing is left of it. */
  giveUp(): Promise<void>
}

/** Packed where its name ends in `.gz`. */
export function exportTarget(path: string | undefined, terminal: Pick<Terminal, 'write'>): ExportTarget {
  if (path === undefined) return { write: toTerminal, done: async () => undefined, giveUp: async () => undefined }
  const part = `${path}.part`
  const file = createWriteStream(part)
  const packed = path.endsWith('.gz') ? createGzip() : undefined
  packed?.pipe(file)
  const out: Writable = packed ?? file
  let fault: NodeJS.ErrnoException | undefined
  // Said by the write that it concerns: without a listener it would end the process.
  for (const stream of [out, file]) stream.on('error', (error: NodeJS.ErrnoException) => (fault ??= error))

  function check(): void {
    if (fault) throw new Stop(1, `It cannot be written to ${path}: ${fault.message}.`)
  }

  async function toTerminal(text: string): Promise<void> {
    terminal.write(text)
    // A pipe whose reader is slow: what is written waits in memory otherwise.
    if (process.stdout.writableNeedDrain) await new Promise((resolve) => process.stdout.once('drain', resolve))
  }

  return {
    async write(text) {
      check()
      if (!out.write(text) && !fault)
        await new Promise<void>((resolve) => {
          const go = () => {
            for (const name of ['drain', 'error', 'close'] as const) out.off(name, go)
            resolve()
          }
          for (const name of ['drain', 'error', 'close'] as const) out.once(name, go)
        })
      check()
    },
    async done() {
      out.end()
      await finished(file).catch((error: NodeJS.ErrnoException) => (fault ??= error))
      check()
      await rename(part, path)
    },
    async giveUp() {
      out.destroy()
      file.destroy()
      await rm(part, { force: true })
    },
  }
}
