// @ts-check
// Stops with one sentence where the tests cannot run, instead of a stack trace from inside the test runner.

const MINIMUM = 22

/** @returns {string | undefined} */
export function nodeComplaint() {
  const major = Number(process.versions.node.split('.')[0])
  if (major >= MINIMUM) return undefined
  return (
    `The tests need Node ${MINIMUM} or newer, and this is ${process.version}. ` +
    'On Linux `npm ci` installs one that npm scripts and `npx` use by themselves; elsewhere switch to a newer Node.'
  )
}

if (import.meta.url.endsWith(encodeURI(process.argv[1] ?? ''))) {
  const complaint = nodeComplaint()
  if (complaint) {
    console.error(complaint)
    process.exitCode = 1
  }
}
