// Runs once before the tests that import the package by its name: they get what a user gets, freshly built.

import { buildIfStale } from '../../scripts/build.mjs'
import { nodeComplaint } from '../../scripts/check-node.mjs'

export default function setup(): void {
  const complaint = nodeComplaint()
  if (complaint) throw new Error(complaint)
  buildIfStale()
}
