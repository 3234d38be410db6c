/**
 * Values for `$1`, `$2` and so on in a statement of SQLite, as PostgreSQL has them; each has to stand in it. They are
 * bound by name: `?1` is a name as well to Node before 22.20 and 24.7, to which no value of a list can be bound.
 */
export function parameters<T>(values: readonly T[]): Record<string, T> {
  return Object.fromEntries(values.map((value, at) => [`$${at + 1}`, value]))
}
