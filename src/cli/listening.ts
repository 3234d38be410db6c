// What every command that listens on a port has in common: the port, why it cannot, and how it is told to stop.

import { Stop } from './command.ts'

export function portOf(text: string | undefined, usual: number): number {
  if (text === undefined) return usual
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new Stop(2, `\`--port\` takes a whole number up to 65535; got ${JSON.stringify(text)}.`)
  return port
}

export function cannotListen({ code, message }: NodeJS.ErrnoException, host = '127.0.0.1', port: number): string {
  const where = `${host}:${port}`
  if (code === 'EADDRINUSE') return `Something else listens on ${where} already: choose another \`--port\`.`
  if (code === 'EACCES') return `This user may not listen on ${where}: choose a \`--port\` above 1023.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `This machine has no address ${host}: choose another \`--host\`.`
  return `It cannot listen on ${where}: ${message}.`
}

/** Resolves to the first signal that asks for an end; a second one ends the process at once, as if nobody listened. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ['SIGINT', 'SIGTERM'] as const
    const stop = (signal: NodeJS.Signals): void => {
      for (const each of signals) process.off(each, stop)
      resolve(signal)
    }
    for (const signal of signals) process.on(signal, stop)
  })
}
