// Answers that took long: asked once, given again, asked anew before they are old.

import { expect, test } from 'vitest'
import { createKeptAnswers } from '../../src/server/kept-answers.ts'
import type { View } from '../../src/server/view-rows.ts'

const table = () => ({ name: 'x', header: [], rows: [] })
const viewOf = (body: unknown): View => ({ body: { body }, table })

function stage() {
  let at = 0
  let asked = 0
  const kept = createKeptAnswers(() => at)
  return {
    kept,
    asked: () => asked,
    pass: (ms: number) => (at += ms),
    /** A question that takes so long. */
    taking: (ms: number) => async () => {
      await Promise.resolve()
      at += ms
      return viewOf(++asked)
    },
  }
}

test('a quick answer is asked for anew each time', async () => {
  const { kept, taking, asked } = stage()
  for (let i = 1; i <= 3; i++)
    expect(await kept.answerTo('x', taking(20), false)).toEqual({ view: viewOf(i), ageMs: 0 })
  expect(asked()).toBe(3)
})

test('a slow answer is given again, and after a while given while it is asked anew', async () => {
  const { kept, taking, pass, asked } = stage()
  await kept.answerTo('x', taking(1000), false)
  pass(19_000)
  expect(await kept.answerTo('x', taking(1000), false)).toEqual({ view: viewOf(1), ageMs: 19_000 })
  expect(asked()).toBe(1)
  pass(2000)
  expect(await kept.answerTo('x', taking(1000), false)).toEqual({ view: viewOf(1), ageMs: 21_000 })
  await new Promise((resolve) => setImmediate(resolve))
  expect(await kept.answerTo('x', taking(1000), false)).toEqual({ view: viewOf(2), ageMs: 0 })
})

test('nobody is told what is older than ten minutes', async () => {
  const { kept, taking, pass } = stage()
  await kept.answerTo('x', taking(60_000), false)
  pass(600_001)
  expect(await kept.answerTo('x', taking(60_000), false)).toEqual({ view: viewOf(2), ageMs: 0 })
})

test('whoever wants it fresh gets it fresh, and others after that as well', async () => {
  const { kept, taking } = stage()
  await kept.answerTo('x', taking(1000), false)
  expect((await kept.answerTo('x', taking(1000), true)).view).toEqual(viewOf(2))
  expect((await kept.answerTo('x', taking(1000), false)).view).toEqual(viewOf(2))
})

test('what I want fresh is asked after I wanted it, though somebody waits for the same already', async () => {
  const { kept, taking, asked } = stage()
  const ask = taking(1000)
  const before = kept.answerTo('x', ask, false)
  const fresh = await Promise.all([kept.answerTo('x', ask, true), kept.answerTo('x', ask, true)])
  expect((await before).view).toEqual(viewOf(1))
  expect(fresh.map(({ view }) => view)).toEqual([viewOf(2), viewOf(2)])
  expect(asked()).toBe(2)
})

test('ten readers of one page ask once', async () => {
  const { kept, taking, asked } = stage()
  const ask = taking(1000)
  await Promise.all(Array.from({ length: 10 }, () => kept.answerTo('x', ask, false)))
  expect(asked()).toBe(1)
})

test('what goes wrong is told to everybody who waits, and is not kept', async () => {
  const { kept, taking, pass } = stage()
  const fails = () => Promise.reject(new Error('locked'))
  await expect(kept.answerTo('x', fails, false)).rejects.toThrow('locked')
  await kept.answerTo('x', taking(1000), false)
  pass(30_000)
  expect((await kept.answerTo('x', fails, false)).view).toEqual(viewOf(1))
  await new Promise((resolve) => setImmediate(resolve))
  await expect(kept.answerTo('x', fails, false)).rejects.toThrow('locked')
})

test('fifty answers are kept, the newest', async () => {
  const { kept, taking } = stage()
  for (let i = 0; i <= 50; i++) await kept.answerTo(`x${i}`, taking(1000), false)
  expect((await kept.answerTo('x50', taking(1000), false)).view).toEqual(viewOf(51))
  expect((await kept.answerTo('x0', taking(1000), false)).view).toEqual(viewOf(52))
})
