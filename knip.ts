// Finds what nothing uses. What the package exports and runs is used by definition.

import { readFileSync } from 'node:fs'
import type { KnipConfig } from 'knip'
import { entries } from './scripts/entries.mjs'

const { library, commands, threads } = entries()
const { dependencies } = JSON.parse(readFileSync(new URL('test/apps/net/package.json', import.meta.url), 'utf8')) as {
  dependencies: Record<string, string>
}

export default {
  ignoreWorkspaces: ['tools/node', 'test/apps/*'],
  workspaces: {
    '.': {
      entry: [
        ...[...library, ...commands, ...threads].map(({ source }) => `${source}!`),
        // Required by src/pricing/lazy-book.ts from a file that scripts/build.mjs makes of it.
        'src/pricing/whole-book.ts!',
        // Built into one file by scripts/dashboard.mjs.
        'src/dashboard/main.tsx',
        'scripts/*.mjs',
        'test/**/*.test.ts',
        'test/compat/*.mjs',
        'test/tenants/*.mjs',
        'test/shapes/run.mjs',
        // Started as a process of its own by test/journey/secrets.test.ts.
        'test/support/secret-app.ts',
        // Likewise by test/support/crash.ts.
        'test/support/crash-app.ts',
        // Likewise by tests in test/journey.
        'test/support/{lease,limit,worker,first-calls}-app.ts',
        'bench/*.bench.ts',
        // Started by bench/limits.ts.
        'bench/limits-processes.ts',
        'examples/**/*.ts',
      ],
      // Of Linux, where root may fill a disk of its own: test/support/small-disk.ts.
      ignoreBinaries: ['mount', 'umount'],
      project: [
        'src/**/*.{ts,tsx}!',
        'scripts/*.mjs',
        'test/**/*.ts',
        'test/compat/*.mjs',
        'test/tenants/*.mjs',
        'bench/**/*.ts',
        'examples/**/*.ts',
      ],
    },
  },
  // A type that an exported function speaks of is exported with it, and so is a step that a reader may want to name.
  ignoreExportsUsedInFile: true,
  // Started by scripts/check-package.mjs, by their files; and what an application of the tests brings.
  ignoreDependencies: [
    '@arethetypeswrong/cli',
    'publint',
    ...Object.keys(dependencies).filter((name) => name !== 'zod'),
  ],
  ignoreBinaries: ['openssl', 'apt-get'],
} satisfies KnipConfig
