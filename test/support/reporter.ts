// Makes `N passed, N failed` the last line of a test run, whatever else went wrong in it.

import type { Reporter, SerializedError, TestModule } from 'vitest/node'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** A file that does not load and a hook that throws have no test of their own, and count as one failure each. */
function count(modules: readonly TestModule[], unhandled: readonly SerializedError[]): Counts {
  const counts = { passed: 0, failed: unhandled.length, skipped: 0 }
  for (const module of modules) {
    for (const suite of [module, ...module.children.allSuites()]) if (suite.errors().length > 0) counts.failed++
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      counts[state === 'pending' ? 'failed' : state]++
    }
  }
  return counts
}

export default class CountsReporter implements Reporter {
  #counts: Counts = { passed: 0, failed: 0, skipped: 0 }

  onInit(): void {
    // On exit rather than at the end of the run: vitest prints its own summary, and what did not close, after that.
    process.once('exit', (code) => {
      const { passed, failed, skipped } = this.#counts
      const unseen = code !== 0 && failed === 0 ? 1 : 0
      const tail = skipped > 0 ? `, ${skipped} skipped` : ''
      process.stdout.write(`\n${passed} passed, ${failed + unseen} failed${tail}\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.#counts = count(modules, unhandled)
  }
}
