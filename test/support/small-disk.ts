// A disk of its own that is really full when it is full: a file system in memory, which only root may mount.

import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SmallDisk extends Disposable {
  readonly path: string
  /** Takes everything that is left but so many bytes. */
  fill(leaving: number): void
  /** Gives back what `fill` took. */
  free(): void
}

/** `undefined` where this user may not mount one. */
export function smallDisk(folder: string, bytes: number): SmallDisk | undefined {
  const path = join(folder, 'disk')
  mkdirSync(path)
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tallygate-test', path])
  if (status !== 0) return undefined
  const ballast = join(path, 'ballast')
  return {
    path,
    fill(leaving) {
      const { bavail, bsize } = process.getBuiltinModule('node:fs').statfsSync(path)
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leaving)))
    },
    free: () => rmSync(ballast),
    [Symbol.dispose]() {
      spawnSync('umount', [path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}
