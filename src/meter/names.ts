// What `patch`, `unpatch` and the option `patches` may name: SDKs, providers by host, and frameworks with SDKs inside.

import { expected, MeterError } from '../errors.ts'
import { knownNames, listed } from '../options/patch-names.ts'
import type { ExchangeRequest, SdkName, WireName } from '../patch/exchange.ts'
import { locate } from '../patch/locate.ts'
import type { CopyReport, Patches, PatchName, PatchReport, SdkReport } from '../patch/patches.ts'
import { SDK_NAMES } from '../patch/sdks.ts'
import { DIALECTS, PROVIDERS, type Routing } from '../providers/index.ts'
import type { Provider } from '../providers/provider.ts'

const LANGCHAIN = 'langchain'
/** What LangChain's packages are built on: their folders, also as pnpm names them. */
const OF_LANGCHAIN = /[\\/](?:@langchain[\\/+]|langchain(?:[\\/@]|$))/
const LANGCHAIN_SDKS = ['openai', 'anthropic'] as const satisfies SdkName[]

/** The SDK whose clients speak a wire. */
const SDK_OF = { openai: 'openai', anthropic: 'anthropic', google: 'google' } as const satisfies Record<string, SdkName>

export interface Names {
  patch(name: string, modules?: readonly unknown[]): SdkReport
  patchAll(names?: readonly string[]): PatchReport
  unpatch(name: string): void
  unpatchAll(): void
  /** The SDKs that `names` leads to, for copies that are yet to load. */
  sdksOf(names: readonly string[] | undefined): readonly PatchName[] | undefined
  /** Whether a call through what was patched is one that was asked for, and was not let go since. */
  isMeant(request: Pick<ExchangeRequest, 'wire' | 'host'>): boolean
}

export function createNames(patches: Patches, routing: Routing, own: readonly Provider[]): Names {
  /** What `unpatch` was told of, through whatever its calls come. */
  const muted = new Set<string>()
  /** Wires of which only some providers were asked for; any other wire is metered whole. */
  const scopes = new Map<WireName, Set<string>>()
  const providers = [...own, ...PROVIDERS, ...DIALECTS]

  function kindOf(name: string): 'sdk' | 'langchain' | 'provider' {
    if (name === 'fetch' || (SDK_NAMES as readonly string[]).includes(name)) return 'sdk'
    if (name === LANGCHAIN) return 'langchain'
    if (providers.some((known) => known.name === name)) return 'provider'
    throw new MeterError('BAD_INPUT', expected('name', `one of ${listed(knownNames(own))}`, name))
  }

  /** The SDKs through which a provider is called; one that only `fetch` sees has none. */
  function sdksFor(provider: string): SdkName[] {
    const wires = providers.filter(({ name }) => name === provider).map(({ wire }) => wire)
    return [...new Set(wires.flatMap((wire) => (wire === 'own' ? [] : [SDK_OF[wire]])))]
  }

  function isPatched(sdk: PatchName): boolean {
    return patches.report().sdks.some((report) => report.sdk === sdk && report.status !== 'failed')
  }

  function patchSdk(sdk: PatchName, modules: readonly unknown[] | undefined): SdkReport {
    // The net is for the calls of all SDKs, those that were let go before as well.
    for (const name of sdk === 'fetch' ? SDK_NAMES : [sdk]) muted.delete(name)
    if (sdk !== 'fetch' && sdk !== 'groq') scopes.delete(sdk)
    const report = patches.patch(sdk, modules)
    // Without groq-sdk, its host is called through openai.
    return sdk === 'groq' && report.status === 'not-installed' ? patchProvider('groq') : report
  }

  function patchProvider(provider: string, modules?: readonly unknown[]): SdkReport {
    muted.delete(provider)
    const sdks = sdksFor(provider)
    if (sdks.length === 0) return { ...patches.patch('fetch'), provider }
    let first: SdkReport | undefined
    for (const sdk of sdks) {
      const scope = scopes.get(sdk as WireName)
      if (scope) scope.add(provider)
      else if (!isPatched(sdk)) scopes.set(sdk as WireName, new Set([provider]))
      first ??= { ...patches.patch(sdk, modules), provider }
      // A class that was handed over is of one SDK.
      if (modules) break
    }
    return first!
  }

  function langchainCopies(sdk: SdkName) {
    return locate(sdk).loaded.filter(({ from }) => OF_LANGCHAIN.test(from))
  }

  function patchLangchain(): SdkReport {
    const copies: CopyReport[] = []
    for (const sdk of LANGCHAIN_SDKS) {
      scopes.delete(sdk)
      const nested = langchainCopies(sdk)
      // Where it has no copy of its own, it shares the application's.
      if (nested.length === 0) copies.push(...patches.patch(sdk).copies)
      else for (const copy of nested) copies.push(patches.patchCopy(sdk, copy))
    }
    const done = copies.filter((copy) => copy.isPatched).length
    const status = done === copies.length ? 'patched' : done > 0 ? 'partial' : 'failed'
    return { sdk: LANGCHAIN, status: copies.length === 0 ? 'not-installed' : status, copies }
  }

  function patch(name: string, modules?: readonly unknown[]): SdkReport {
    const kind = kindOf(name)
    if (kind === 'langchain') return patchLangchain()
    return kind === 'sdk' ? patchSdk(name as PatchName, modules) : patchProvider(name, modules)
  }

  function unpatchProvider(provider: string): void {
    muted.add(provider)
    for (const sdk of sdksFor(provider)) {
      const scope = scopes.get(sdk as WireName)
      if (!scope?.delete(provider) || scope.size > 0) continue
      scopes.delete(sdk as WireName)
      patches.unpatch(sdk)
    }
  }

  return {
    patch,
    patchAll(names) {
      muted.clear()
      scopes.clear()
      // The net too: what it costs a call to another host, and why it is safe, is told in docs/net.md.
      return names ? { sdks: names.map((name) => patch(name)) } : patches.patchAll([...SDK_NAMES, 'fetch'])
    },
    unpatch(name) {
      const kind = kindOf(name)
      if (kind === 'provider') unpatchProvider(name)
      else if (kind === 'langchain')
        for (const sdk of LANGCHAIN_SDKS) for (const copy of langchainCopies(sdk)) patches.unpatchCopy(sdk, copy)
      else {
        patches.unpatch(name as PatchName, name !== 'fetch')
        // Their names are those of hosts as well, which openai may call.
        if (name === 'groq' || name === 'google') unpatchProvider(name)
        if (name !== 'groq') scopes.delete(name as WireName)
      }
    },
    unpatchAll() {
      patches.unpatchAll()
      muted.clear()
      scopes.clear()
    },
    sdksOf: (names) =>
      names && [
        ...new Set(
          names.flatMap((name): readonly PatchName[] => {
            const kind = kindOf(name)
            if (kind === 'langchain') return LANGCHAIN_SDKS
            return kind === 'sdk' ? [name as PatchName] : sdksFor(name)
          }),
        ),
      ],
    isMeant({ wire, host }) {
      if (scopes.size === 0 && muted.size === 0) return true
      const provider = routing.providerOf(host) ?? host
      return !muted.has(provider) && scopes.get(wire)?.has(provider) !== false
    },
  }
}
