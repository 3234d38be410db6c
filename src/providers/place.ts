// Where a call was processed, as far as its host says so: some providers charge more for one place alone.

/** The first group is the place; a host that no pattern takes serves the whole world. */
const PLACES: Readonly<Record<string, RegExp>> = {
  // developers.openai.com/api/docs/guides/data-residency: `us`, `eu`, `jp`, ...
  openai: /^([a-z]{2,3})\.api\.openai\.com(?::|$)/,
  // docs.x.ai/developers/advanced-api-usage/regions, and clusters such as `us-east-1`.
  'x-ai': /^([a-z]{2})(?:-[a-z0-9-]+)?\.api\.x\.ai(?::|$)/,
  // docs.cloud.google.com, locations: `us-central1-aiplatform...`, and `aiplatform.us.rep...` of a whole continent.
  google: /^(?=[a-z])(?:aiplatform\.)?([a-z0-9-]+?)(?:-aiplatform|\.rep)\.googleapis\.com(?::|$)/,
}

/** `eu` of `eu.api.openai.com`; `undefined` where the host does not decide it. */
export function placeOf(provider: string, host: string): string | undefined {
  return PLACES[provider]?.exec(host)?.[1]
}
