// The most tokens that one image of a prompt comes to, whatever its size, by the model and the detail that is asked for.

/** By detail: of `auto`, of `original`, of none and of any that is not listed, `most`. */
interface Most {
  readonly models: RegExp
  readonly most: number
  readonly low?: number
  readonly high?: number
}

/** Scaled to 2,048 px at most and 768 px on the short side: eight tiles of 512 px at most. `low` is the base alone. */
function tiles(models: RegExp, base: number, tile: number): Most {
  return { models, most: base + 8 * tile, low: base }
}

/** Patches of 32 px, each times a factor. */
function patches(models: RegExp, most: number, factor: number): Most {
  return { models, most: Math.ceil(most * factor) }
}

/** An image of `low` detail is fitted into 512 px, and one of `high` into 2,048 px and 2,500 patches. */
function sizedPatches(models: RegExp, most: number, factor: number): Most {
  return { ...patches(models, most, factor), low: Math.ceil(256 * factor), high: Math.ceil(2500 * factor) }
}

/**
 * developers.openai.com/api/docs/guides/images-vision. Tiles and the patches of the small models, whose detail made no
 * difference, stand so in undated copies of the page that have GPT-5. Its newer table was not to be had: the rest is as
 * others quote it between 2026-09-02 and 2026-09-30. Up to GPT-5.5 an image is scaled down to 10,000 patches; since
 * GPT-5.6 it keeps its size and is refused above 30,000, unless it is `low` or `high`; the factor is 1.2. GPT-6.1 Sol
 * was measured at the same (docs.apiyi.com, 2026-10-20). Of the small models of GPT-5.4, whose factor is 1.2 to some
 * and 1.62 and 2.46 to others, and of the Pro and Codex models, which nobody lists, the highest is taken.
 */
const OPENAI: readonly Most[] = [
  tiles(/^gpt-4o-mini/, 2833, 5667),
  tiles(/^(?:gpt-4o|chatgpt-4o|gpt-4\.5|gpt-4-|gpt-4\.1(?!-mini|-nano))/, 85, 170),
  tiles(/^o(?:1|3)(?!-mini)/, 75, 150),
  tiles(/^computer-use/, 65, 129),
  tiles(/^gpt-5(?:\.1)?(?:-chat|-20|$)/, 70, 140),
  patches(/^(?:gpt-4\.1-mini|gpt-5-mini)/, 1536, 1.62),
  patches(/^(?:gpt-4\.1-nano|gpt-5-nano)/, 1536, 2.46),
  patches(/^(?:o4-mini|codex-mini)/, 1536, 1.72),
  sizedPatches(/^gpt-5\.[2-5](?:-chat|-20|$)/, 10_000, 1.2),
  sizedPatches(/^(?:gpt-5\.6(?!-pro|-cyber)|gpt-6-astra|gpt-6\.1-sol)/, 30_000, 1.2),
  patches(/^gpt-5(?!\.[6-9])/, 10_000, 2.46),
]
/** No page has a row for them: as many patches as any image is let in with, at the highest factor of the page. */
const UNLISTED = patches(/^/, 30_000, 2.46)

/**
 * platform.claude.com/docs/en/build-with-claude/vision: patches of 28 px of an image that is scaled to 2,576 px and
 * 4,784 tokens at most since Opus 4.7, before to 1,568 of either: as others quote the page on 2026-09-23 and 2026-09-30.
 */
export const MOST_CLAUDE_IMAGE_TOKENS = 4784

/** `undefined` where nobody has said it. */
export function mostImageTokens(provider: string, model: string, detail: unknown): number | undefined {
  if (provider !== 'openai' && provider !== 'azure') return undefined
  const { most, low = most, high = most } = OPENAI.find(({ models }) => models.test(model)) ?? UNLISTED
  if (detail === 'low') return low
  return detail === 'high' ? high : most
}
