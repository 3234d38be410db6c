// What is done to a text before it is taken apart: the `normalizer` of a tokenizer file.

import { isObject, textOf } from '../../providers/counts.ts'
import { patternOf, unsupported } from './pattern.ts'

export type Normalizer = (text: string) => string

export function normalizerOf(described: unknown): Normalizer {
  if (described === null || described === undefined) return (text) => text
  if (!isObject(described)) throw unsupported('its normalizer is no object')
  const { type } = described
  switch (type) {
    case 'Sequence': {
      const steps = listOf(described['normalizers']).map(normalizerOf)
      return (text) => steps.reduce((made, step) => step(made), text)
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(type)
    case 'Lowercase':
      return (text) => text.toLowerCase()
    case 'Prepend': {
      const prefix = textOf(described['prepend']) ?? ''
      return (text) => (text === '' ? '' : prefix + text)
    }
    case 'Replace': {
      const pattern = patternOf(described['pattern'], 'its normalizer')
      const content = textOf(described['content']) ?? ''
      return (text) => text.replace(pattern, () => content)
    }
    default:
      throw unsupported(`its normalizer is of the type ${JSON.stringify(type ?? null)}`)
  }
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
