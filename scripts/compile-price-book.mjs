// Compiles the price data package and our overlay into src/pricing/data/price-book.ts; `--check` only compares.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { waitForUpdate } from '@pydantic/genai-prices'
import { COLUMNS, isNamed } from '../src/pricing/book-data.ts'
import { rowLabels } from '../src/pricing/labels.ts'
import { compactRates, layOver, OverlayMismatch } from '../src/pricing/lay-over.ts'
import { accepts } from '../src/pricing/lookup.ts'
import { describeFault, HOURS, overlayFaults } from '../src/pricing/overlay-faults.ts'
import { parseRate } from '../src/pricing/rate-text.ts'

const PACKAGE = '@pydantic/genai-prices'
const PINNED = {
  version: '0.1.8',
  /** When it was published: no page was read for it later. */
  read: '2026-09-23',
  sha256: '0c9da2297434f9f0a3033f26442542457e7b2a68f411aa1b0bb4cade1a129c06',
}

const BOOK = new URL('../src/pricing/data/price-book.ts', import.meta.url)
const OVERLAY = new URL('../src/pricing/data/overlay/', import.meta.url)

/** A legal comment, which bundlers keep. */
const HEADER = `/*!
 * Written by scripts/compile-price-book.mjs from @pydantic/genai-prices and the overlay beside this file: do not edit.
 * @pydantic/genai-prices is Copyright (c) Pydantic Services Inc. 2025 to present, under the MIT License: see NOTICE.
 */`

/** The package's price keys that we have a bucket for; where its unit is not the usual one, with that unit. */
const BUCKET_OF = {
  input_mtok: 'input.text',
  output_mtok: 'output.text',
  cache_read_mtok: 'input.text.cache_read',
  cache_write_mtok: 'input.text.cache_write',
  cache_write_1h_mtok: 'input.text.cache_write_1h',
  output_reasoning_mtok: 'output.reasoning',
  input_audio_mtok: 'input.audio',
  cache_audio_read_mtok: 'input.audio.cache_read',
  output_audio_mtok: 'output.audio',
  input_image_mtok: 'input.image',
  cache_image_read_mtok: 'input.image.cache_read',
  output_image_mtok: 'output.image',
  input_video_mtok: 'input.video',
  output_video_mtok: 'output.video',
  web_searches_kcount: 'fee.web_search',
  storage_searches_kcount: 'fee.file_search',
  requests_kcount: 'fee.request',
  input_document_kpages: 'unit.input_pages',
  input_audio_hours: 'unit.input_seconds/hour',
}

/** Of a model that has no hours of input, these are of a conversation. */
const AUDIO_HOURS = 'audio_hours'
const SESSION = 'unit.session_seconds/hour'

/** Messages of a spoken conversation and pages with annotations, which answers do not count apart. */
const NO_BUCKET = new Set(['input_annotated_document_kpages', 'input_text_messages_kcount'])

/** Billed within every answer and in no bucket: tokens alone would cost too little, so these models stay unpriced. */
const UNCOUNTABLE = new Set(['output_citation_mtok'])

/** OpenRouter derives this one from a price per hour (1/12 of a dollar); it is no whole number of pico-dollars. */
const isUnpublished = (provider, key, usd) =>
  provider === 'openrouter' && key === 'cache_write_mtok' && usd === 0.08333333333333334

/** The package files the audio or image rate of models with one kind of output under plain output. */
const SPEAKS = /(^|-)tts(-|$)/
const DRAWS = /^gpt-image-/

function fail(message) {
  throw new Error(`price book: ${message}`)
}

/** Fifteen digits: the package has sums such as 0.18000000000000002. */
function rateOf(usd, bucket, unit, where) {
  const text = String(Number(usd.toPrecision(15)))
  const plain = text.includes('e-') ? Number(text).toFixed(15).replace(/0+$/, '') : text
  return parseRate(unit ? `${plain}/${unit}` : plain, bucket) ?? fail(`${where}: ${bucket} at ${usd} is no rate`)
}

function packageRow(provider, model, { constraint, prices }) {
  const where = `${provider}/${model.id}`
  const starts = [...new Set(Object.values(prices).flatMap((price) => price.tiers?.map((tier) => tier.start) ?? []))]
  starts.sort((a, b) => a - b)
  const ratesAt = (start) => {
    const rates = {}
    for (const [key, price] of Object.entries(prices)) {
      if (NO_BUCKET.has(key) || (key === AUDIO_HOURS && 'input_audio_hours' in prices)) continue
      const known = key === AUDIO_HOURS ? SESSION : BUCKET_OF[key]
      const [bucket, unit] = (known ?? fail(`${where}: unknown price key ${key}`)).split('/')
      const tier = price.tiers?.filter((tier) => tier.start <= start).at(-1)
      const usd = tier?.price ?? price.base ?? price
      if (!isUnpublished(provider, key, usd)) rates[bucket] = rateOf(usd, bucket, unit, where)
    }
    if (SPEAKS.test(model.id) && 'output.text' in rates) rates['output.audio'] ??= rates['output.text']
    if (DRAWS.test(model.id) && 'output.text' in rates) rates['output.image'] ??= rates['output.text']
    return rates
  }
  const base = ratesAt(-1)
  const isFree =
    Object.keys(prices).length === 0 && (model.id.endsWith(':free') || /\bfree of charge\b/i.test(model.price_comments))
  if (isFree) Object.assign(base, { 'input.text': 0, 'output.text': 0 })
  return {
    ...(constraint?.type === 'start_date' && { from: constraint.start_date }),
    ...(constraint?.type === 'time_of_date' && { hours: [utcHours(constraint, where)] }),
    rates: compactRates(new Map(Object.entries(base))),
    ...(starts.length > 0 && {
      above: starts.map((start) => [start, compactRates(new Map(Object.entries(ratesAt(start))))]),
    }),
  }
}

function utcHours({ start_time, end_time }, where) {
  const hours = `${start_time}-${end_time}`.replaceAll(/:00Z/g, '')
  return HOURS.test(hours) ? hours : fail(`${where}: hours ${hours}`)
}

function packageRows(provider, model) {
  const periods = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  if (periods.some(({ prices }) => Object.keys(prices).some((key) => UNCOUNTABLE.has(key)))) return []
  const rows = periods.map((period) => packageRow(provider, model, period))
  return rows.some(({ rates }) => Object.keys(rates).length > 0) ? rows : []
}

const DATED = /^\^(.*)-(?:\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\})\$$/

/** A model without rows stays: its id is known to have no price, and no family may take it. */
function packageModels({ id: provider, models }) {
  return models.map((model) => {
    const { ids, family } = identify(model, models)
    return {
      ...(ids.length === 0 && { name: model.id.toLowerCase() }),
      ids,
      ...(family.length > 0 && { family }),
      rows: packageRows(provider, model),
    }
  })
}

/** Exact ids apart from rules that take a whole family; a rule for dated snapshots of an exact id is the engine's own. */
function identify(model, models) {
  const parts = model.match.or ?? [model.match]
  const ids = new Set()
  const first = models.find((other) => accepts(other.match, model.id.toLowerCase()))
  if (first === model) ids.add(model.id.toLowerCase())
  for (const part of parts) if (part.equals !== undefined) ids.add(part.equals.toLowerCase())
  const family = parts.filter(({ equals, regex }) => {
    if (equals !== undefined) return false
    const base = regex && DATED.exec(regex)?.[1].replaceAll('\\', '')
    return !(base && ids.has(base))
  })
  for (const { regex } of family) if (regex) new RegExp(regex)
  return { ids: [...ids], family }
}

function readOverlay(file, book) {
  const overlay = JSON.parse(readFileSync(new URL(file, OVERLAY), 'utf8'))
  const faults = overlayFaults(overlay).map((fault) => describeFault(file, overlay, fault))
  if (`${overlay.provider}.json` !== file) faults.push(`${file}: is of ${overlay.provider}`)
  if (faults.length > 0) fail(`\n  ${faults.join('\n  ')}`)
  try {
    return layOver(book, overlay, { undatedAsOf: PINNED.read })
  } catch (error) {
    if (error instanceof OverlayMismatch) fail(describeFault(file, overlay, error.fault))
    throw error
  }
}

/** The rate of a line must lead back to one row. */
function checkLabels(book) {
  for (const provider of Object.keys(book.providers)) {
    const seen = new Set()
    for (const label of rowLabels(book, provider)) {
      if (seen.has(label)) fail(`${provider}: two rows for the same model, tier and time: ${label}`)
      seen.add(label)
    }
  }
}

/** A fee or a surcharge of no model is a slip of the pen. */
function checkPatterns({ providers }) {
  const idsOf = (provider) => providers[provider]?.models.flatMap(({ ids }) => ids) ?? []
  for (const [provider, { like = [], fees = [], modifiers = [] }] of Object.entries(providers)) {
    const ids = [provider, ...like].flatMap(idsOf)
    for (const pattern of [...fees, ...modifiers].flatMap(({ models }) => models))
      if (!isNamed([pattern], ids)) fail(`${provider}: a fee or a modifier is for ${pattern}, which is no model`)
  }
}

async function compile() {
  const entry = createRequire(import.meta.url)
    .resolve(PACKAGE)
    .replace(/\.cjs$/, '.js')
  const sha256 = createHash('sha256').update(readFileSync(entry)).digest('hex')
  const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${entry}`), 'utf8'))
  if (version !== PINNED.version || sha256 !== PINNED.sha256)
    fail(`${PACKAGE} ${version} (${sha256}) is not the pinned ${PINNED.version}: read what changed, then pin it`)

  const sources = []
  const providers = {}
  for (const provider of await waitForUpdate()) {
    const source = sources.push([provider.pricing_urls.join(' '), PINNED.read, `as in ${PACKAGE} ${version}`]) - 1
    providers[provider.id] = {
      ...(provider.fallback_model_providers && { like: provider.fallback_model_providers }),
      source,
      models: packageModels(provider),
    }
  }
  let book = { version: '', read: PINNED.read, columns: COLUMNS, sources, providers }
  for (const file of readdirSync(OVERLAY).sort()) book = readOverlay(file, book)
  checkLabels(book)
  checkPatterns(book)
  const { version: _, ...content } = book
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  return { ...book, version: `genai-prices-${version}+overlay-${book.read}.${digest.slice(0, 8)}` }
}

/** Text and not an object: `JSON.parse` reads it several times as fast. One model a line, so that diffs can be read. */
function print({ providers, ...head }) {
  const listed = (list) => `[\n${list.map((item) => JSON.stringify(item)).join(',\n')}\n]`
  const sections = Object.entries(providers).map(([id, { models, fees, modifiers, ...rest }]) => {
    const parts = Object.entries(rest).map(([key, value]) => `"${key}":${JSON.stringify(value)}`)
    parts.push(`"models":${listed(models)}`)
    if (fees) parts.push(`"fees":${listed(fees)}`)
    if (modifiers) parts.push(`"modifiers":${listed(modifiers)}`)
    return `${JSON.stringify(id)}:{${parts.join(',')}}`
  })
  const parts = Object.entries(head).map(
    ([key, value]) => `"${key}":${key === 'sources' ? listed(value) : JSON.stringify(value)}`,
  )
  const json = `{${parts.join(',\n')},\n"providers":{\n${sections.join(',\n')}\n}}`
  if (/`|\$\{/.test(json)) fail('a text would end the template literal')
  JSON.parse(json)
  return `${HEADER}\n\n/** \`BookData\` as JSON. */\nexport const PRICE_BOOK: string = String.raw\`${json}\`\n`
}

const text = print(await compile())
if (process.argv.includes('--check')) {
  if (readFileSync(BOOK, 'utf8') !== text) fail(`${fileURLToPath(BOOK)} is stale: run scripts/compile-price-book.mjs`)
} else writeFileSync(BOOK, text)
