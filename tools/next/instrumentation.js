// What an application does when it starts: Next.js calls this once, before the first request.

export async function register() {
  if (process.env.NEXT_RUNTIME !== 'nodejs' || !process.env.HOW) return
  globalThis.said = []
  process.on('warning', ({ name, message }) => name === 'TallygateWarning' && globalThis.said.push(message))
  if (process.env.HOW !== 'patchAll' && process.env.HOW !== 'sdks') return
  const { Meter } = await import('tallygate')
  const meter = new Meter(process.env.HOW === 'sdks' ? { patches: ['openai'] } : {})
  meter.patchAll()
  globalThis.meter = meter
}
