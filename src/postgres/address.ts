// The address of a database: apart, since options are checked whether there is one or not.

export function isDatabaseUrl(value: unknown): value is string {
  return typeof value === 'string' && /^postgres(ql)?:\/\/./.test(value) && URL.canParse(value)
}
