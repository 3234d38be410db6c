// The host of an address, with its port: read once for each address, since an SDK dials the same few.

const hosts = new Map<string, string>()

export function hostOf(url: string): string {
  let host = hosts.get(url)
  if (host === undefined) {
    try {
      host = new URL(url).host
    } catch {
      host = 'unknown'
    }
    if (hosts.size >= 1000) hosts.clear()
    hosts.set(url, host)
  }
  return host
}
