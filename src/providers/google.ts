// Google's wire, Gemini API and Vertex AI.

import { batchRoutes } from './google-batches.ts'
import { cacheRoutes } from './google-caches.ts'
import { generate } from './google-content.ts'
import { embeddingRoutes } from './google-embeddings.ts'
import { interactionRoutes } from './google-interactions.ts'
import { googleLive } from './google-live.ts'
import { images, videoRoutes } from './google-media.ts'
import type { Provider } from './provider.ts'

export const google: Provider = {
  name: 'google',
  wire: 'google',
  hosts: /^(?:generativelanguage|(?:[a-z0-9-]+-)?aiplatform(?:\.[a-z0-9-]+\.rep)?)\.googleapis\.com$/,
  routes: [
    googleLive,
    generate,
    { ...generate, path: /:streamGenerateContent$/ },
    ...embeddingRoutes,
    images,
    ...videoRoutes,
    ...batchRoutes,
    ...cacheRoutes,
    ...interactionRoutes,
  ],
}
