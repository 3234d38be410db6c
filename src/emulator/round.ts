// A script for the work within one message of Anthropic's that its totals leave out.

/**
 * Work within one message of Anthropic's that its totals leave out: its context was compacted, a stronger model advised,
 * or the model that was asked has declined and another answered (the first of the request's `fallbacks`).
 *
 * @example
 * emulator.reply({ rounds: [{ type: 'advisor', model: 'claude-fable-5-1', inputTokens: 900, outputTokens: 120 }] })
 */
export interface Round {
  readonly type: 'compaction' | 'advisor' | 'declined'
  /** Of an advisor. */
  readonly model?: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens?: number
}
