// Why a bill and a ledger differ: the words for it, what each means, and whose turn it is.

export const CAUSES = [
  'foreign-key',
  'not-logged',
  'not-metered',
  'not-billed',
  'retries',
  'streams-without-usage',
  'cache-accounting',
  'hidden-tokens',
  'output-count',
  'tokenizer-change',
  'batch-or-tier',
  'model-swap',
  'price-book',
  'contract-discount',
  'timing',
  'rounding',
  'unexplained',
] as const

/** Why a part of the difference is there; `unexplained` where nobody can say. */
export type Cause = (typeof CAUSES)[number]

/** One sentence each, for reports. */
export const MEANING: Readonly<Record<Cause, string>> = {
  'foreign-key': 'Billed under a key, project, workspace or profile of which the ledger has no calls.',
  'not-logged': 'Billed requests that are in no log: a console, code that is not patched.',
  'not-metered': 'A line of the bill for something that is no call: storage, a tax, a session.',
  'not-billed': 'Calls in the ledger that the provider did not bill.',
  retries: 'Attempts of which no answer came, and which were billed all the same.',
  'streams-without-usage': 'Streams that ended before they said what they used.',
  'cache-accounting': 'Tokens, or prices, of what was written to a cache or read from it.',
  'hidden-tokens': 'More input than the answers said, with as many requests.',
  'output-count': 'More output than the answers said, with as many requests.',
  'tokenizer-change': 'Counts of our own that the provider counts otherwise, input and output alike.',
  'batch-or-tier': 'Served or billed at another tier than the one that was logged.',
  'model-swap': 'Billed as another model than the one that answered.',
  'price-book': 'A price that is not the one in our book.',
  'contract-discount': 'One discount on everything.',
  timing: 'Counted in the bucket before or after.',
  rounding: 'Digits that the statement does not show.',
  unexplained: 'Nobody can say from these figures.',
}

/** Billed, and in no log. */
export const UNATTRIBUTED: ReadonlySet<Cause> = new Set<Cause>(['foreign-key', 'not-logged', 'not-metered'])
