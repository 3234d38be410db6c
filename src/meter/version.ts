// The version of this package. Written down: in a bundle there is no manifest to read it from.

export const VERSION = '0.1.0'
