// The model in a path of Google's.

import { textOf } from './counts.ts'
import { UNKNOWN_MODEL } from './provider.ts'

/** `models/gemini-3-pro:generateContent`, or Vertex's `publishers/google/models/gemini-3-pro:generateContent`. */
export function modelOf(path: string): string {
  const end = path.lastIndexOf(':')
  return textOf(path.slice(path.lastIndexOf('/', end) + 1, end)) ?? UNKNOWN_MODEL
}
