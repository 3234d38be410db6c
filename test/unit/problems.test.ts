import { afterEach, describe, expect, test, vi } from 'vitest'
import { MeterError } from '../../src/errors.ts'
import { createProblems, type Problem } from '../../src/problems.ts'

afterEach(() => void vi.restoreAllMocks())

function told(raiseOnError = false) {
  const said: Problem[] = []
  const problems = createProblems({ onProblem: (problem) => said.push(problem), raiseOnError })
  return { said, problems }
}

const down: Problem = { kind: 'delivery', message: 'The sink is down.' }

describe('a fault', () => {
  test('is told of once a key, and counted every time', () => {
    const { said, problems } = told()
    for (let time = 0; time < 3; time++) problems.report(down, 'down')
    problems.report(down, 'other')
    problems.report(down)
    problems.report(down)
    expect(said).toHaveLength(4)
    expect(problems.counts).toEqual({ delivery: 6 })
  })

  test('is told of again when it was over', () => {
    const { said, problems } = told()
    problems.report(down, 'down')
    problems.clear('down')
    problems.report(down, 'down')
    expect(said).toHaveLength(2)
  })

  test('is a warning of the process where nobody listens', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    createProblems({ raiseOnError: false }).report(down)
    expect(warn).toHaveBeenCalledExactlyOnceWith('The sink is down.', { type: 'TallygateWarning', code: 'delivery' })
  })

  test('that a listener throws at is not the application’s', () => {
    const problems = createProblems({
      onProblem: () => {
        throw new Error('mine')
      },
      raiseOnError: false,
    })
    problems.report(down)
    expect(problems.counts).toEqual({ delivery: 1, callback: 1 })
  })

  test('is thrown in development', () => {
    const { said, problems } = told(true)
    const cause = new MeterError('LEDGER_UNAVAILABLE', 'No ledger.')
    expect(() => problems.report({ ...down, cause })).toThrow(
      expect.objectContaining({ code: 'LEDGER_UNAVAILABLE', message: 'The sink is down.', cause }),
    )
    expect(said).toEqual([])
  })
})

describe('guarding', () => {
  test('one fault that `raiseOnError` throws through several guards is one count', () => {
    const { problems } = told(true)
    const twice = () =>
      problems.guard('internal', 'recording a call', () =>
        problems.guard('callback', 'calling back', () => problems.report(down, 'down')),
      )
    expect(twice).toThrow(expect.objectContaining({ code: 'BAD_INPUT', message: 'The sink is down.' }))
    expect(problems.counts).toEqual({ delivery: 1 })
  })

  test('what `raiseOnError` threw and somebody reports as a cause is one count', () => {
    const { problems } = told(true)
    const later = () => {
      try {
        problems.report(down)
      } catch (cause) {
        problems.report({ kind: 'internal', message: 'A call could not be recorded in full.', cause })
      }
    }
    expect(later).toThrow('The sink is down.')
    expect(problems.counts).toEqual({ delivery: 1 })
  })

  test('gives what the function gives', () => {
    expect(told().problems.guard('internal', 'adding', () => 7)).toBe(7)
  })

  test('swallows what it throws, and names its class but not its words', () => {
    const { said, problems } = told()
    const result = problems.guard('usage', 'reading an answer', () => {
      throw new SyntaxError('Unexpected token: "a secret prompt"')
    })
    expect(result).toBeUndefined()
    expect(said).toEqual([{ kind: 'usage', message: 'tallygate failed while reading an answer: SyntaxError' }])
  })

  test.each<[unknown, string]>([
    [Object.assign(new Error('secret'), { code: 'ENOSPC' }), 'Error (ENOSPC)'],
    [new MeterError('BAD_INPUT', 'Ours may be said.'), 'Ours may be said.'],
    ['a secret', 'string'],
    [undefined, 'undefined'],
  ])('%o', (thrown, shown) => {
    const { said, problems } = told()
    problems.guard('internal', 'working', () => {
      throw thrown
    })
    expect(said[0]!.message).toBe(`tallygate failed while working: ${shown}`)
  })
})
