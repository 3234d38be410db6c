// One word for each service tier, whatever an answer, a usage API or an invoice calls it.

const WORDS: Readonly<Record<string, string>> = {
  auto: 'standard',
  default: 'standard',
  standard: 'standard',
  on_demand: 'standard',
  unspecified: 'standard',
  fast: 'priority',
  priority: 'priority',
  priority_on_demand: 'priority',
  flex: 'flex',
  flex_discount: 'flex',
  batch: 'batch',
}

/** What nobody names is what the list says: `standard`. */
export function tierOf(word: string | null | undefined): string {
  if (word === null || word === undefined || word === '') return 'standard'
  const lower = word.toLowerCase()
  return WORDS[lower] ?? lower
}
