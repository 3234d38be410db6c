// Logs of other programs, read as events: what `tallygate import` and whoever audits a log ask for.

export { LOG_FORMATS } from './formats.ts'
export { formatNamed, type ReadLogOptions, type ReadRow, readLog } from './read-log.ts'
