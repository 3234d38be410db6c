// An application of several workers that each meter for themselves: a cluster's processes, or threads. Run by
// test/journey/workers.test.ts.

import cluster from 'node:cluster'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Meter } from 'tallygate'

const { KIND, WORKERS = '3', CALLS = '0', END } = process.env

/** Reports its calls, and ends as it is told to. */
async function work(worker: number): Promise<void> {
  const meter = new Meter({ onProblem: ({ message }) => process.stderr.write(`${message}\n`) })
  const report = (responseId: string) =>
    meter.trackManually({ provider: 'openai', model: 'gpt-4o', tenantId: 'acme', inputTokens: 100, responseId })
  // The first reads the price book.
  report(`${worker}-0`)
  await meter.flush()
  for (let call = 1; call < Number(CALLS); call++) report(`${worker}-${call}`)
  if (END === 'close') await meter.close()
}

if (KIND === 'cluster') {
  if (cluster.isPrimary) {
    for (let worker = 0; worker < Number(WORKERS); worker++) {
      const child = cluster.fork({ WORKER: String(worker) })
      child.on('message', () => (END === 'kill' ? child.process.kill('SIGKILL') : child.disconnect()))
    }
  } else {
    await work(Number(process.env['WORKER']))
    process.send!('done')
    // What is killed must not end before.
    if (END === 'kill') setInterval(() => {}, 1000)
  }
} else if (isMainThread) {
  for (let worker = 0; worker < Number(WORKERS); worker++) {
    const thread = new Worker(new URL(import.meta.url), { workerData: worker })
    thread.on('message', () => void (END === 'kill' && thread.terminate()))
  }
} else {
  await work(workerData as number)
  parentPort!.postMessage('done')
  if (END === 'kill') setInterval(() => {}, 1000)
}
