// A strict reader of Prometheus' text format, version 0.0.4: prometheus.io/docs/instrumenting/exposition_formats, 2026-11-22.

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly value: number
  }[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HELP = new RegExp(`^# HELP (${NAME}) (.*)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (NaN|[+-]Inf|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y

/** Throws at the first line that is not as it should be. */
export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let current: Family | undefined
  let help: { name: string; text: string } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`)
    }
    const asHelp = HELP.exec(line)
    const asType = TYPE.exec(line)
    const asSample = SAMPLE.exec(line)
    if (asHelp) {
      if (families.has(asHelp[1]!)) fail('A family comes twice')
      help = { name: asHelp[1]!, text: asHelp[2]! }
    } else if (asType) {
      if (help?.name !== asType[1]) fail('A type without its help')
      current = { name: asType[1]!, type: asType[2]!, help: help!.text, samples: [] }
      families.set(current.name, current)
    } else if (asSample && current) {
      const [, name = '', inside = '', value = ''] = asSample
      const suffixes = current.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!suffixes.some((suffix) => name === current!.name + suffix)) fail(`Not of the family ${current.name}`)
      const labels: Record<string, string> = {}
      LABEL.lastIndex = 0
      while (LABEL.lastIndex < inside.length) {
        const [, label = '', text = ''] = LABEL.exec(inside) ?? fail('Labels that cannot be read')
        if (label in labels) fail('A label twice')
        labels[label] = text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
      }
      const key = name + JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
      if (seen.has(key)) fail('A sample twice')
      seen.add(key)
      const number = value.endsWith('Inf') ? Number(value.replace('Inf', 'Infinity')) : Number(value)
      if (Number.isNaN(number) && value !== 'NaN') fail('No number')
      if (current.type === 'counter' && !(number >= 0)) fail('A counter below 0')
      current.samples.push({ name, labels, value: number })
    } else fail('Not a line of this format')
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family)
  return families
}

function checkHistogram({ name, samples }: Family): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) =>
    labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']),
  )
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value
  const sum = samples.find((sample) => sample.name === `${name}_sum`)?.value
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name} has no bucket for all.`)
  for (const [at, bound] of bounds.entries()) {
    if (at > 0 && !(bound > bounds[at - 1]!)) throw new Error(`The buckets of ${name} are not in order.`)
    if (at > 0 && buckets[at]!.value < buckets[at - 1]!.value) throw new Error(`The buckets of ${name} do not add up.`)
  }
  if (count !== buckets.at(-1)!.value || sum === undefined) throw new Error(`${name} has another count or no sum.`)
}
