// Text in a page: whatever a tenant, a model or a label is called, it is never markup.

const ESCAPED: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
/** Line breaks within a name, marks that turn the direction of what stands behind them, and half a pair. */
const UNSEEN = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** For between tags, and for an attribute between quotes. What no reader would see is shown as `\ufffd`. */
export function escaped(text: string): string {
  return text.replace(UNSEEN, '\ufffd').replace(/[&<>"']/g, (sign) => ESCAPED[sign]!)
}
