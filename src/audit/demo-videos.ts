// Videos as a provider would deliver them, for the demonstration: headers of an MP4 without a picture, some of them of a
// smaller size than is billed. It shares no code with the audit.

export interface DemoVideo {
  readonly mp4: Buffer
  /** As they are billed. */
  readonly tokens: number
}

export interface DemoVideos {
  readonly videos: readonly DemoVideo[]
  /** How many of them are billed for another size than they have. */
  readonly wrong: number
}

type Size = readonly [width: number, height: number]

const SIZES: readonly Size[] = [
  [1920, 1088],
  [1280, 720],
  [864, 480],
]
const RATE = 24
const CLIPS = 12

export function demoVideos({ between }: { between(low: number, high: number): number }): DemoVideos {
  const from = between(6, 8)
  const videos = Array.from({ length: CLIPS }, (_, i) => {
    const frames = RATE * between(3, 10) + 1
    const [asked, delivered] = i < from ? [pick(), undefined] : [SIZES[0]!, SIZES[1]!]
    return { mp4: headers(delivered ?? asked, frames), tokens: tokensOf(asked, frames) }
  })
  return { videos, wrong: CLIPS - from }

  function pick(): Size {
    return SIZES[between(0, SIZES.length - 1)]!
  }
}

/** As those who bill by tokens of video say: one for every 1024 pixels of a frame. */
function tokensOf([width, height]: Size, frames: number): number {
  return (width * height * frames) / 1024
}

/** ISO/IEC 14496-12: a length of 32 bits, a name of four letters, and what is in it. */
function box(name: string, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + parts.reduce((sum, { length }) => sum + length, 0))
  head.write(name, 4, 'latin1')
  return Buffer.concat([head, ...parts])
}

function numbers(...given: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * given.length)
  for (const [i, number] of given.entries()) bytes.writeUInt32BE(number, 4 * i)
  return bytes
}

function headers([width, height]: Size, frames: number): Buffer {
  const entry = box('avc1', Buffer.alloc(24), numbers(width * 65_536 + height), Buffer.alloc(50))
  const table = box('stbl', box('stsd', numbers(0, 1), entry), box('stsz', numbers(0, 1000, frames)))
  const media = box('mdia', box('hdlr', numbers(0, 0), Buffer.from('vide'), Buffer.alloc(13)), box('minf', table))
  const track = box('trak', box('tkhd', numbers(0, 0, 0, 1), Buffer.alloc(68)), media)
  return Buffer.concat([box('ftyp', Buffer.from('isomiso2')), box('moov', box('mvhd', Buffer.alloc(100)), track)])
}
