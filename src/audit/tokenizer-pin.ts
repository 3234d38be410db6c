// What the tokenizers of models make of one sample: held against another version's, it tells whether counts have changed.

import { fingerprintOf } from '../call/own-counts.ts'
import { countTokens } from '../providers/count-tokens.ts'
import { encodingOf } from '../providers/encodings.ts'

/** What encodings differ in: words, code, digits, scripts, signs. */
const SAMPLE =
  "The harbor's ledger didn't agree: 1,234,567.89 != 98765.\n\tconst sum = rows.reduce((a, b) => a + b, 0)\n" +
  '账单与账本不一致。 Счёт не сходится. ใบแจ้งหนี้ไม่ตรง 👩‍👩‍👧 naïve café'

/** By model, as `provider/model`, those alone that count in a published encoding: its fingerprint and its tokens of the sample. */
export async function tokenizersOf(names: readonly string[]): Promise<Record<string, string>> {
  const counts: Record<string, string> = {}
  for (const name of names) {
    const model = name.slice(name.indexOf('/') + 1)
    const { name: encoding, isPublished } = encodingOf(model)
    if (!isPublished) continue
    const { tokens } = await countTokens([SAMPLE], model)
    counts[name] = `${tokens} by ${fingerprintOf(encoding)}`
  }
  return counts
}
