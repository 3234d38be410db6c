// The built command line as a child process, in an environment and a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../../scripts/entries.mjs'

const MAIN = join(root, 'dist/cli/main.js')

export interface Finished {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  /** Resolves when standard output matches. */
  until(pattern: RegExp): Promise<RegExpExecArray>
  readonly finished: Promise<Finished>
}

/** Nothing of the machine's own settings, but what a process needs to run. */
function environment(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, SystemRoot } = process.env
  return { PATH, HOME, TMPDIR, SystemRoot, ...extra }
}

export function start(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, main = MAIN): Running {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text
      for (const watch of watchers) watch()
    })
  }
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, ...texts }))
  })
  return {
    process: child,
    finished,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const watch = () => {
          const match = pattern.exec(texts.stdout)
          if (!match) return
          watchers.delete(watch)
          resolve(match)
        }
        watchers.add(watch)
        void finished.then(() =>
          reject(new Error(`It ended before it said ${pattern}: ${texts.stdout}${texts.stderr}`)),
        )
        watch()
      }),
  }
}

export function run(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, main = MAIN): Promise<Finished> {
  return start(cwd, args, env, main).finished
}
