// One record of a spool on one line: a checksum, its kind, its JSON.

/** The first words of every segment; a version that is not this one belongs to another tallygate. */
const MAGIC = 'tallygate-spool'
const VERSION = 1

/** What a segment says of itself in its first line. */
export interface SegmentHeader {
  /** The sinks that its events are owed to, by name. */
  readonly owes: readonly string[]
  /** For people: which process wrote it, where. */
  readonly pid: number
  readonly host: string
}

export interface SpoolRecord {
  /** `event`, or a kind of whoever else writes into the spool. Lower-case letters. */
  readonly kind: string
  readonly json: string
}

export const EVENT = 'event'

export function encodeHeader(header: SegmentHeader): string {
  return `${MAGIC} ${VERSION} ${JSON.stringify(header)}\n`
}

/** A header, or in one word what is wrong with it. */
export function decodeHeader(line: string): SegmentHeader | 'foreign' | 'newer' {
  const [magic, version, ...rest] = line.split(' ')
  if (magic !== MAGIC || !/^\d+$/.test(version ?? '')) return 'foreign'
  if (Number(version) !== VERSION) return 'newer'
  try {
    const header = JSON.parse(rest.join(' ')) as SegmentHeader
    return Array.isArray(header.owes) && header.owes.every((name) => typeof name === 'string') ? header : 'foreign'
  } catch {
    return 'foreign'
  }
}

/** One for all: what is written is on disk before the next one is. */
let scratch: Buffer | undefined
const SCRATCH_BYTES = 64 * 1024
const SUM_BYTES = 9

/**
 * The bytes of a record, good until the next one is made: its text is turned into bytes once, for the sum and for the
 * disk. JSON has no line breaks of its own, so a line is a record and a line without its end is a torn one.
 *
 * `json` is written by itself, not in one text with its kind. Put together piece by piece it is a tree, which V8 lays out
 * flat when it is written and not before: kept as a tree until the sinks have it, it takes 5 kB of the collector's time
 * for each event instead of 1.
 */
export function encodeRecord(kind: string, json: string): Buffer {
  const start = SUM_BYTES + kind.length + 1
  const most = start + json.length * 3 + 1
  const bytes = most <= SCRATCH_BYTES ? (scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES)) : Buffer.allocUnsafe(most)
  for (let at = 0; at < kind.length; at++) bytes[SUM_BYTES + at] = kind.charCodeAt(at)
  bytes[start - 1] = SPACE
  const end = start + bytes.write(json, start)
  putSum(bytes, crc32(bytes.subarray(SUM_BYTES, end)))
  bytes[end] = NEW_LINE
  return bytes.subarray(0, end + 1)
}

/** A record, or in a few words what is wrong with the line (without its line break). */
export function decodeRecord(line: Buffer): SpoolRecord | string {
  const text = line.toString('utf8')
  if (text.length < 11 || text[8] !== ' ') return 'it is no record'
  if (Number.parseInt(text.slice(0, 8), 16) !== crc32(line.subarray(SUM_BYTES))) return 'its checksum is wrong'
  const at = text.indexOf(' ', 9)
  if (at < 0) return 'it has no kind'
  return { kind: text.slice(9, at), json: text.slice(at + 1) }
}

const SPACE = 32
const DIGITS = Buffer.from('0123456789abcdef')

/** Eight digits and a space. */
function putSum(bytes: Buffer, sum: number): void {
  for (let at = 0; at < 8; at++) bytes[at] = DIGITS[(sum >>> (28 - 4 * at)) & 15]!
  bytes[8] = SPACE
}

/** Whether any line of these bytes is a record: then they are of a spool, whatever its header has come to. */
export function hasRecord(bytes: Buffer): boolean {
  for (let from = 0, end = bytes.indexOf(NEW_LINE); end >= 0; from = end + 1, end = bytes.indexOf(NEW_LINE, from))
    if (typeof decodeRecord(bytes.subarray(from, end)) !== 'string') return true
  return false
}

const NEW_LINE = 10

type Crc32 = (data: string | Uint8Array) => number
let native: Crc32 | undefined

export function crc32(data: string | Uint8Array): number {
  // Not imported: node:zlib takes 2 ms to load. Its crc32 came with Node 22.2 and 20.15.
  native ??= (process.getBuiltinModule('node:zlib').crc32 as Crc32 | undefined) ?? ownCrc32
  return native(data)
}

let table: Uint32Array | undefined

/** The same sum as zlib's, for a Node without it. */
export function ownCrc32(data: string | Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? 0xedb88320 ^ (sum >>> 1) : sum >>> 1
    return sum
  })
  let sum = 0xffffffff
  for (const byte of typeof data === 'string' ? Buffer.from(data) : data) sum = table[(sum ^ byte) & 255]! ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}
