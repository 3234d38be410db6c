// Quantities as exact decimals: seconds and hours have digits behind the point, which no sum of doubles keeps.

/** `digits` times ten to the power of minus `places`. */
export interface Quantity {
  readonly digits: bigint
  readonly places: number
}

export const NO_QUANTITY: Quantity = { digits: 0n, places: 0 }

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,3}))?$/i

/** Of a number as JSON writes it. */
export function parseQuantity(text: string): Quantity {
  const match = NUMBER.exec(text)
  if (!match) return NO_QUANTITY
  const [, sign, whole = '0', fraction = '', exponent = '0'] = match
  const digits = BigInt(`${sign}${whole}${fraction}`)
  const places = fraction.length - Number(exponent)
  return places < 0 ? { digits: digits * 10n ** BigInt(-places), places: 0 } : { digits, places }
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const places = Math.max(a.places, b.places)
  return { digits: at(a, places) + at(b, places), places }
}

export function timesCalls({ digits, places }: Quantity, count: number): Quantity {
  return { digits: digits * BigInt(count), places }
}

/** The exact decimal digits, without trailing zeros. */
export function formatQuantity({ digits, places }: Quantity): string {
  const size = String(digits < 0n ? -digits : digits).padStart(places + 1, '0')
  const whole = size.slice(0, size.length - places)
  const fraction = size.slice(size.length - places).replace(/0+$/, '')
  return `${digits < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** What one unit costs, where `cost` is so many times a whole number of pico-dollars; `undefined` elsewhere. */
export function unitPriceOf(cost: bigint, { digits, places }: Quantity): bigint | undefined {
  const scaled = cost * 10n ** BigInt(places)
  return digits > 0n && scaled % digits === 0n ? scaled / digits : undefined
}

function at({ digits, places }: Quantity, wanted: number): bigint {
  return digits * 10n ** BigInt(wanted - places)
}
