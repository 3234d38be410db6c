// Set from outside, so that one application stands for each way of building it.

/** @type {import('next').NextConfig} */
export default {
  distDir: process.env.DIST_DIR,
  turbopack: { root: import.meta.dirname },
  ...(process.env.EXTERNAL && { serverExternalPackages: process.env.EXTERNAL.split(',') }),
}
