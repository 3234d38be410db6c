// Salted hashes of what was said: they tell that two texts are the same one, and nothing else of either.

/** A beginning of a prompt: how many bytes of it, and their hash. */
export interface Prefix {
  readonly bytes: number
  readonly hash: string
}

/** Of longer conversations the first ones and the last: an instruction that is always the same, and what was said before. */
const FIRST = 4
const LAST = 8
const HASH_DIGITS = 24

/** The beginnings of a prompt that end where one of its texts does. `salt` keeps a hash from being looked up in a list. */
export function prefixesOf(texts: readonly string[], salt: string): readonly Prefix[] {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const running = createHash('sha256').update(salt)
  const prefixes: Prefix[] = []
  let bytes = 0
  for (const text of texts) {
    bytes += Buffer.byteLength(text)
    // What stands between two texts, so that `ab` and `c` are not `a` and `bc`.
    running.update(text).update('\0')
    prefixes.push({ bytes, hash: running.copy().digest('hex').slice(0, HASH_DIGITS) })
  }
  return prefixes.length <= FIRST + LAST ? prefixes : [...prefixes.slice(0, FIRST), ...prefixes.slice(-LAST)]
}

/** Of one text, such as an output. */
export function hashOf(text: string, salt: string): string {
  return prefixesOf([text], salt)[0]!.hash
}

/** As an event keeps it: `1024:0f3a…`. */
export function writePrefix({ bytes, hash }: Prefix): string {
  return `${bytes}:${hash}`
}

export function readPrefix(written: string): Prefix | undefined {
  const [, bytes, hash] = /^(\d{1,15}):([0-9a-f]{8,64})$/.exec(written) ?? []
  return bytes === undefined || hash === undefined ? undefined : { bytes: Number(bytes), hash }
}

const SALT = /^[0-9a-f]{32}$/

/**
 * The salt of a folder, `content-salt` in it, made when it is first needed: processes of one folder have the same, so that
 * their hashes can be held against each other. Throws where it can be neither read nor made.
 */
export function saltOf(dir: string): string {
  const { mkdirSync, writeFileSync } = process.getBuiltinModule('node:fs')
  const path = saltPath(dir)
  try {
    mkdirSync(dir, { recursive: true })
    const salt = process.getBuiltinModule('node:crypto').randomBytes(16).toString('hex')
    writeFileSync(path, salt, { flag: 'wx', mode: 0o600 })
    return salt
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
  return readSalt(dir)
}

/** Throws where there is none. */
export function readSalt(dir: string): string {
  const path = saltPath(dir)
  const salt = process.getBuiltinModule('node:fs').readFileSync(path, 'utf8').trim()
  if (SALT.test(salt)) return salt
  throw new Error(`${path} holds no salt`)
}

function saltPath(dir: string): string {
  return `${dir}/content-salt`
}
