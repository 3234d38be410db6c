// The API keys that `serve` is given: on the command line, in the environment, in a file. None is ever printed.

import { readFileSync, statSync } from 'node:fs'
import { MeterError } from '../errors.ts'
import { type ApiKey, checkKeys } from '../server/keys.ts'
import { type Option, Stop } from './command.ts'

export const KEYS = {
  'api-key': {
    type: 'string',
    value: '[project=]key',
    multiple: true,
    isSecret: true,
    help: 'A key that opens the endpoint, or one for a project; several may be given. Default: $TALLYGATE_API_KEY, and $TALLYGATE_API_KEYS with commas between.',
  },
  keys: {
    type: 'string',
    value: 'file',
    help: 'A JSON file of keys that only this user may read. Default: $TALLYGATE_KEYS_FILE',
  },
} as const satisfies Record<string, Option>

interface Values {
  readonly 'api-key'?: readonly string[]
  readonly keys?: string
}

/** What is given on the command line goes before the environment; all that one of the two says holds together. */
export function keysOf(values: Values, env: NodeJS.ProcessEnv): readonly ApiKey[] {
  const isGiven = values['api-key'] !== undefined || values.keys !== undefined
  const keys = isGiven
    ? [...listed(values['api-key'] ?? [], '`--api-key`'), ...inFile(values.keys)]
    : [
        // Whole: it is the variable that an application has for the same server, and its key may have any character.
        ...(env['TALLYGATE_API_KEY'] ? checked([{ key: env['TALLYGATE_API_KEY'] }], '`TALLYGATE_API_KEY`') : []),
        ...listed(env['TALLYGATE_API_KEYS']?.split(/[\s,]+/).filter(Boolean) ?? [], '`TALLYGATE_API_KEYS`'),
        ...inFile(env['TALLYGATE_KEYS_FILE'] || undefined),
      ]
  if (keys.length === 0)
    throw new Stop(
      2,
      'An API key is needed, so that nobody else can write into the ledger: set TALLYGATE_API_KEY, to the output of `openssl rand -hex 24` for example, or give `--api-key <key>` or `--keys <file>`.',
    )
  return checked(keys, 'what is given')
}

/** `project=key`. A key that ends in `=`, as base64 does, is one: what follows the first `=` has to be more than that. */
function listed(texts: readonly string[], where: string): readonly ApiKey[] {
  const keys = texts.map((text) => {
    const [, project, key] = /^([^=]+)=(.*[^=].*)$/s.exec(text) ?? []
    return project === undefined || key === undefined ? { key: text } : { key, project }
  })
  return keys.length === 0 ? keys : checked(keys, where)
}

/** `where` stands in place of the option of the library in what is wrong with one. */
function checked(keys: readonly ApiKey[], where: string): readonly ApiKey[] {
  try {
    checkKeys(keys)
    return keys
  } catch (error) {
    if (!(error instanceof MeterError)) throw error
    throw new Stop(2, error.message.replace('`apiKeys`', where))
  }
}

/** Others may not read it, nor change it; the group may read it, which is how a service gets a secret mounted. */
const FORBIDDEN_MODE = 0o027

function inFile(path: string | undefined): readonly ApiKey[] {
  if (path === undefined) return []
  let text: string
  try {
    if (process.platform !== 'win32' && (statSync(path).mode & FORBIDDEN_MODE) !== 0)
      throw new Stop(2, `The file of keys can be read or changed by others: \`chmod 600 ${path}\` ends that.`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Stop) throw error
    const code = (error as NodeJS.ErrnoException).code
    const why =
      code === 'ENOENT'
        ? 'is not there'
        : code === 'EACCES'
          ? 'may not be read by this user'
          : `cannot be read (${code})`
    throw new Stop(2, `The file of keys ${path} ${why}.`)
  }
  return checked(entriesIn(text, path), path)
}

const NAMES = ['key', 'sha256', 'project', 'role', 'tenant', 'note']

function entriesIn(text: string, path: string): readonly ApiKey[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The error would quote a key.
    throw new Stop(2, `The file of keys ${path} is not JSON.`)
  }
  const keys = (value as { keys?: unknown } | null)?.keys
  if (!Array.isArray(keys) || keys.length === 0)
    throw new Stop(2, `The file of keys ${path} has to hold { "keys": [{ "key": "...", "project": "..." }, ...] }.`)
  for (const [at, entry] of keys.entries()) {
    const isObject = typeof entry === 'object' && entry !== null && !Array.isArray(entry)
    // A `projekt` that is passed over would be a key for every project.
    if (!isObject || !Object.keys(entry).every((name) => NAMES.includes(name)))
      throw new Stop(
        2,
        `Key ${at + 1} of ${path} is not an object with \`key\` or \`sha256\`, \`project\`, \`role\`, \`tenant\` and \`note\` alone.`,
      )
  }
  return keys as ApiKey[]
}
