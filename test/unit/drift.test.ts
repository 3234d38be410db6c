// What we count against what providers report: a ratio for each model, and a problem where it steps.

import { describe, expect, test } from 'vitest'
import { createDrift } from '../../src/call/drift.ts'
import { createProblems, type Problem } from '../../src/problems.ts'

function drifting() {
  const problems: Problem[] = []
  const drift = createDrift(
    createProblems({ onProblem: (problem) => void problems.push(problem), raiseOnError: false }),
  )
  const note = (ratio: number, times: number, model = 'gpt-4o') => {
    for (let call = 0; call < times; call++) drift.note(model, Math.round(ratio * 1000), 1000)
  }
  return { problems, drift, note }
}

describe('drift', () => {
  test('is nothing while the ratio stays what it was, whatever it is', () => {
    const { problems, drift, note } = drifting()
    note(0.62, 500)
    note(0.65, 500)
    expect(problems).toEqual([])
    expect(drift.ratios['gpt-4o']!.calls).toBe(1000)
    expect(drift.ratios['gpt-4o']!.ratio).toBeGreaterThan(0.64)
  })

  test('is a step that four calls in a row agree on, and is told with both ratios', () => {
    const { problems, drift, note } = drifting()
    note(1, 20)
    note(0.77, 3)
    expect(problems).toEqual([])
    note(0.77, 1)
    expect(problems).toHaveLength(1)
    expect(problems[0]!.kind).toBe('usage')
    expect(problems[0]!.message).toMatch(/^Tokenizer or hidden-token drift: .*"gpt-4o" was 1\.00 .* is 0\.77\./)
    expect(drift.ratios['gpt-4o']!.ratio.toFixed(2)).toBe('0.77')
    note(0.77, 100)
    expect(problems).toHaveLength(1)
    note(1, 4)
    expect(problems).toHaveLength(2)
  })

  test('is not one odd call, nor calls that differ from each other', () => {
    const { problems, note } = drifting()
    note(1, 20)
    for (const ratio of [0.5, 1, 0.5, 1.5, 0.5, 1.5, 0.7, 1]) note(ratio, 1)
    expect(problems).toEqual([])
  })

  test('is told model by model', () => {
    const { problems, note } = drifting()
    note(1, 20, 'a')
    note(0.5, 20, 'b')
    expect(problems).toEqual([])
  })

  test('takes no note of small prompts, nor of numbers that are none', () => {
    const { drift } = drifting()
    for (const [counted, reported] of [
      [50, 60],
      [0, 1000],
      [1000, Number.NaN],
      [1000, 0],
    ] as const)
      drift.note('gpt-4o', counted, reported)
    expect(drift.ratios).toEqual({})
  })

  test('remembers a bounded number of models', () => {
    const { drift, note } = drifting()
    for (let model = 0; model < 1000; model++) note(1, 1, `model-${model}`)
    expect(Object.keys(drift.ratios)).toHaveLength(200)
  })
})
