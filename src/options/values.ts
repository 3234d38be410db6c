// What an option can be, and how it is read from the environment.

export const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
export const isLabel = (value: unknown): boolean => isText(value) && (value as string).length <= 256
export const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
export const isFunction = (value: unknown): boolean => typeof value === 'function'
export const isWhole = (least: number) => (value: unknown) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= 2 ** 31 - 1
export const readNumber = (text: string): unknown => (text.trim() === '' ? Number.NaN : Number(text))
export const readBoolean = (text: string): unknown =>
  /^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : text
export const same = (text: string): unknown => text
export const readHosts = (text: string): unknown =>
  Object.fromEntries(
    text.split(',').map((pair) => {
      const at = pair.lastIndexOf('=')
      return at < 0 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    }),
  )

export const isHttpUrl = (value: unknown): boolean => {
  if (typeof value !== 'string') return false
  try {
    return /^https?:$/.test(new URL(value).protocol)
  } catch {
    return false
  }
}

export const readList = (text: string): unknown =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
