// Events of the wire, one a line: what `tallygate export` and the sink `jsonl` write, and lines of anybody's own making.

import { fromWire } from '../event.ts'
import type { Json } from '../providers/provider.ts'
import { checkWireEvent, explainWireEvent } from '../wire.ts'
import type { LogFormat } from './format.ts'

export const jsonl: LogFormat = {
  name: 'jsonl',
  rows: 'events of the wire, as `tallygate export` writes them; without `schema_version`, calls in its words, priced where they have no cost',
  async read(row: Json) {
    // With it, a line is an event as somebody recorded it, and stays that to the last digit.
    if (row['schema_version'] === undefined) return { manual: row }
    if (checkWireEvent(row)) return { event: fromWire(row) }
    return { fault: (await explainWireEvent(row)) ?? 'It is no event of the wire.' }
  },
}
