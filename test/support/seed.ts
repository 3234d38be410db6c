// Random inputs are the same in every run of the suite: what turns red is the change. `npm run soak:properties` plays others.

import fc from 'fast-check'

const seed = Number(process.env['TALLYGATE_TEST_SEED'] ?? 1)
if (!Number.isInteger(seed))
  throw new Error(`TALLYGATE_TEST_SEED is "${process.env['TALLYGATE_TEST_SEED']}", not an integer.`)
fc.configureGlobal({ seed })
