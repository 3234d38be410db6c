// What a call belongs to, as limits see it.

import type { Belonging } from '../limits/scope.ts'
import type { Payer } from '../tenant.ts'

export function belongingOf({ tenantId, attribution }: Payer, model: string | undefined): Belonging {
  const { userId, feature, sessionId, operationId } = attribution
  return { tenantId, userId, feature, model, sessionId, operationId }
}
