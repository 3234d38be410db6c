// Each test file has a folder of its own: jobs that one has recorded, and spools that it left, are not another's.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

process.env['TALLYGATE_DIR'] = mkdtempSync(join(tmpdir(), 'tallygate-test-'))
