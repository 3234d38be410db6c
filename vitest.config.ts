// Two projects: tests of the sources need no build; tests of the package as a user has it build it first.

import { defineConfig } from 'vitest/config'
import { PATIENT } from './test/support/patience.ts'
import CountsReporter from './test/support/reporter.ts'

const PACKAGE_TESTS = ['test/journey/**/*.test.ts', 'test/package/**/*.test.ts']
const ELSEWHERE = ['**/node_modules/**', 'test/apps/**', 'test/compat/**']

export default defineConfig({
  test: {
    reporters: ['default', new CountsReporter()],
    // vitest leaves one core to itself, which on a machine with two halves the tests.
    maxWorkers: '100%',
    // Of what never ends, and of nothing else: on a machine with other work all takes many times as long.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: PATIENT },
    projects: [
      {
        extends: true,
        test: {
          name: 'source',
          include: ['test/**/*.test.ts'],
          exclude: [...ELSEWHERE, ...PACKAGE_TESTS],
          setupFiles: ['test/support/seed.ts', 'test/support/own-folder.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: PACKAGE_TESTS,
          exclude: ELSEWHERE,
          setupFiles: 'test/support/seed.ts',
          globalSetup: 'test/support/global-setup.ts',
          // Loaded by Node itself, so that there is one copy of it, as in an application.
          server: { deps: { external: [/\/dist\//] } },
        },
      },
    ],
  },
})
