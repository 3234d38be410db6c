// Frames and size of a video from the headers of its file, whatever else is in it and however it is broken.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Broken, readMp4, videoIn, videoTokens } from '../../src/audit/mp4.ts'
import { temporaryFolder } from '../support/ingest.ts'

const u16 = (...numbers: number[]) => Buffer.concat(numbers.map((n) => Buffer.from([n >> 8, n & 255])))
const u32 = (...numbers: number[]) => Buffer.concat(numbers.map((n) => Buffer.from([n >>> 24, n >> 16, n >> 8, n])))
const zeros = (count: number) => Buffer.alloc(count)

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body])
}

interface Clip {
  readonly width?: number
  readonly height?: number
  readonly frames?: number
  readonly id?: number
  readonly handler?: string
}

/** Boxes of a track as ISO/IEC 14496-12 lays them out. */
function track({ width = 1920, height = 1088, frames = 121, id = 1, handler = 'vide' }: Clip = {}): Buffer {
  const entry = box('avc1', zeros(24), u16(width, height), zeros(50))
  const stbl = box(
    'stbl',
    box('stsd', u32(0, 1), entry),
    box('stsz', u32(0, 0, frames), zeros(4 * Math.min(frames, 200))),
  )
  const mdia = box(
    'mdia',
    box('mdhd', zeros(24)),
    box('hdlr', u32(0, 0), Buffer.from(handler), zeros(13)),
    box('minf', stbl),
  )
  return box('trak', box('tkhd', u32(0, 0, 0, id), zeros(68)), mdia)
}

const FTYP = box('ftyp', Buffer.from('isomiso2'))
const SOUND = track({ handler: 'soun', width: 0, height: 0, frames: 9000, id: 2 })
const movie = (...tracks: Buffer[]) =>
  Buffer.concat([FTYP, box('moov', box('mvhd', zeros(100)), ...tracks), box('mdat', zeros(999))])

const read = (bytes: Buffer) =>
  videoIn(async (position, length) => bytes.subarray(position, position + length), bytes.length)

test.each([
  [1920, 1088, 121, 246_840],
  [1280, 720, 121, 108_900],
])('%i x %i x %i frames is %i tokens', async (width, height, frames, tokens) => {
  const video = await read(movie(SOUND, track({ width, height, frames })))
  expect(video).toEqual({ width, height, frames })
  expect(videoTokens(video)).toBe(tokens)
})

test('the header may stand behind what it tells of, however large that is', async () => {
  const far = 6 * 2 ** 30
  const large = Buffer.concat([u32(1), Buffer.from('mdat'), u32(Math.floor(far / 2 ** 32), far % 2 ** 32)])
  const moov = box('moov', track())
  const video = await videoIn(async (position, length) => {
    const isBehind = position >= far
    const from = isBehind ? position - far : position
    return (isBehind ? moov : large).subarray(from, from + length)
  }, far + moov.length)
  expect(video.frames).toBe(121)
})

test('frames of fragments count too', async () => {
  const fragment = (id: number, samples: number) =>
    box('moof', box('traf', box('tfhd', u32(0, id)), box('trun', u32(0, samples))))
  const bytes = Buffer.concat([
    FTYP,
    box('moov', track({ frames: 0 })),
    fragment(1, 60),
    fragment(2, 500),
    fragment(1, 61),
  ])
  expect(await read(bytes)).toEqual({ width: 1920, height: 1088, frames: 121 })
})

describe('a file that is no video', () => {
  test.each<[string, Buffer, string]>([
    ['nothing', zeros(0), 'no video track'],
    ['sound alone', movie(SOUND), 'no video track'],
    ['a video without frames', movie(track({ frames: 0 })), 'no size or no frames'],
    [
      'a box that is larger than its file',
      Buffer.concat([u32(5000), Buffer.from('moov')]),
      'larger than what it is in',
    ],
    ['a header that breaks off', movie(track()).subarray(0, 200), 'larger than what it is in'],
    ['a text', Buffer.from('this is not an mp4 at all'), 'larger than what it is in'],
  ])('with %s says so', async (_, bytes, sentence) => {
    await expect(read(bytes)).rejects.toThrow(sentence)
  })

  test('says so in one sentence with its path', async () => {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const path = join(folder.path, 'clip.mp4')
    await expect(readMp4(path)).rejects.toThrow(`The video ${path} cannot be read (ENOENT).`)
    writeFileSync(path, movie(track()))
    expect(await readMp4(path)).toEqual({ width: 1920, height: 1088, frames: 121 })
    writeFileSync(path, movie(SOUND))
    await expect(readMp4(path)).rejects.toThrow('no MP4 whose frames can be counted: it has no video track.')
  })

  test('with any bytes changed gives numbers or says what is wrong', async () => {
    const whole = movie(SOUND, track())
    const change = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(change, fc.nat(whole.length), async (changes, length) => {
        const bytes = Buffer.from(whole.subarray(0, whole.length - (length % 3 === 0 ? length : 0)))
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        try {
          const { width, height, frames } = await read(bytes)
          expect(Number.isSafeInteger(width * height * frames)).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(Broken)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
