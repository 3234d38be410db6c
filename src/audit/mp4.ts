// Width, height and frames of a video, out of the headers of an MP4 file alone: ISO/IEC 14496-12, boxes `moov` and `moof`.

import type { FileHandle } from 'node:fs/promises'
import { MeterError } from '../errors.ts'

export interface Mp4Video {
  readonly width: number
  readonly height: number
  readonly frames: number
}

/** Tokens of a video as those who bill by them say: width x height / 1024 for each frame. */
export function videoTokens({ width, height, frames }: Mp4Video): number {
  return Math.round((width * height * frames) / 1024)
}

/** Bytes of a file: what stands where. Gives fewer at its end. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>

/** A header is read in whole; nobody writes one of this size for a clip of some minutes. */
const LARGEST_HEADER = 64 * 1024 * 1024
const MOST_BOXES = 100_000
const DEEPEST = 12

/** Throws a `MeterError` of one sentence for what is no MP4, or has no video in it. */
export async function readMp4(path: string): Promise<Mp4Video> {
  const { open } = await import('node:fs/promises')
  let file: FileHandle
  try {
    file = await open(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new MeterError('BAD_INPUT', `The video ${path} cannot be read (${code}).`, { cause })
  }
  try {
    const { size } = await file.stat()
    return await videoIn(async (position, length) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
      return buffer.subarray(0, bytesRead)
    }, size)
  } catch (cause) {
    if (!(cause instanceof Broken)) throw cause
    throw new MeterError('BAD_INPUT', `The video ${path} is no MP4 whose frames can be counted: ${cause.message}.`, {
      cause,
    })
  } finally {
    await file.close()
  }
}

/** The file is not what it says. */
export class Broken extends Error {}

interface Track {
  id: number
  isVideo: boolean
  width: number
  height: number
  frames: number
}

/** Sound, pictures and everything else of the file are passed over without being read. */
export async function videoIn(read: ReadAt, size: number): Promise<Mp4Video> {
  const tracks: Track[] = []
  /** Frames in fragments, by track. */
  const fragments = new Map<number, number>()
  let boxes = 0
  for (let at = 0; at + 8 <= size; ) {
    if (++boxes > MOST_BOXES) throw new Broken('it has too many boxes')
    const head = await read(at, 16)
    const box = boxAt(head, 0, size - at)
    if (box.type === 'moov' || box.type === 'moof') {
      if (box.size > LARGEST_HEADER) throw new Broken('its header is too large')
      const body = await read(at + box.head, box.size - box.head)
      if (body.length < box.size - box.head) throw new Broken('it ends within its header')
      if (box.type === 'moov')
        for (const inner of boxesIn(body)) if (inner.type === 'trak') tracks.push(trackIn(inner.body))
      if (box.type === 'moof')
        for (const inner of boxesIn(body)) if (inner.type === 'traf') addFragment(inner.body, fragments)
    }
    at += box.size
  }
  const videos = tracks.filter(({ isVideo }) => isVideo)
  if (videos.length === 0) throw new Broken('it has no video track')
  const [first] = videos.map((track) => ({ ...track, frames: track.frames + (fragments.get(track.id) ?? 0) }))
  const { width, height, frames } = first!
  if (width === 0 || height === 0 || frames === 0) throw new Broken('its video track has no size or no frames')
  if (!Number.isSafeInteger(width * height * frames)) throw new Broken('its video track has more frames than can be')
  return { width, height, frames }
}

interface Box {
  readonly type: string
  readonly head: number
  readonly size: number
}

function boxAt(bytes: Buffer, at: number, room: number): Box {
  if (bytes.length < at + 8) throw new Broken('it ends within a box')
  const type = bytes.toString('latin1', at + 4, at + 8)
  const short = bytes.readUInt32BE(at)
  let [head, size] = [8, short]
  if (short === 1) {
    if (bytes.length < at + 16) throw new Broken('it ends within a box')
    const long = bytes.readBigUInt64BE(at + 8)
    if (long > BigInt(Number.MAX_SAFE_INTEGER)) throw new Broken('a box of it is larger than the file')
    ;[head, size] = [16, Number(long)]
  } else if (short === 0) size = room
  if (size < head || size > room) throw new Broken('a box of it is larger than what it is in')
  return { type, head, size }
}

function* boxesIn(bytes: Buffer): Generator<{ readonly type: string; readonly body: Buffer }> {
  let count = 0
  for (let at = 0; at + 8 <= bytes.length; ) {
    if (++count > MOST_BOXES) throw new Broken('it has too many boxes')
    const { type, head, size } = boxAt(bytes, at, bytes.length - at)
    yield { type, body: bytes.subarray(at + head, at + size) }
    at += size
  }
}

function trackIn(trak: Buffer): Track {
  const track: Track = { id: 0, isVideo: false, width: 0, height: 0, frames: 0 }
  const walk = (bytes: Buffer, depth: number): void => {
    if (depth > DEEPEST) throw new Broken('its boxes are nested too deep')
    for (const { type, body } of boxesIn(bytes)) {
      if (type === 'mdia' || type === 'minf' || type === 'stbl') walk(body, depth + 1)
      // Version 1 has times of 64 bits before the id.
      else if (type === 'tkhd') track.id = uint(body, uint8(body, 0) === 1 ? 20 : 12)
      else if (type === 'hdlr') track.isVideo = body.toString('latin1', 8, 12) === 'vide'
      else if (type === 'stsz' || type === 'stz2') track.frames = uint(body, 8)
      else if (type === 'stsd') readSize(body, track)
    }
  }
  walk(trak, 0)
  return track
}

/** A visual sample entry: 24 bytes before its width, behind the head of its box. */
function readSize(stsd: Buffer, track: Track): void {
  for (const { body } of boxesIn(stsd.subarray(8))) {
    if (body.length < 28) return
    track.width = body.readUInt16BE(24)
    track.height = body.readUInt16BE(26)
    return
  }
}

function addFragment(traf: Buffer, fragments: Map<number, number>): void {
  let id = 0
  for (const { type, body } of boxesIn(traf)) {
    if (type === 'tfhd') id = uint(body, 4)
    if (type === 'trun') fragments.set(id, (fragments.get(id) ?? 0) + uint(body, 4))
  }
}

function uint(bytes: Buffer, at: number): number {
  if (bytes.length < at + 4) throw new Broken('a box of it is cut off')
  return bytes.readUInt32BE(at)
}

function uint8(bytes: Buffer, at: number): number {
  if (bytes.length <= at) throw new Broken('a box of it is cut off')
  return bytes.readUInt8(at)
}
