// Answers of the server: JSON, and for a fault one sentence under `error`.

export function answer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    // `no-store`: a proxy that kept an answer would show one tenant's spend for too long, or to somebody else.
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  })
}

export function refusal(status: number, sentence: string, headers: Readonly<Record<string, string>> = {}): Response {
  return answer(status, { error: sentence }, headers)
}

export function wrongMethod(allowed: string): Response {
  return refusal(405, `This address takes ${allowed}.`, { allow: allowed })
}
