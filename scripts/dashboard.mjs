// @ts-check
// Builds the dashboard into one html file that loads nothing: its script and its style stand in it, for a policy to name by their hashes.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from './entries.mjs'

/** In the package; no export, since nothing can import it. */
export const DASHBOARD = 'dist/dashboard.html'
const SOURCE = join(root, 'src/dashboard')

/** @returns {string} The page. */
export function dashboardPage() {
  const require = createRequire(import.meta.url)
  /** @type {typeof import('esbuild')} */
  const { buildSync, transformSync } = require('esbuild')
  const { outputFiles } = buildSync({
    entryPoints: [join(SOURCE, 'main.tsx')],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2023',
    charset: 'utf8',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: {},
    legalComments: 'none',
  })
  const styles = [require.resolve('uplot/dist/uPlot.min.css'), join(SOURCE, 'style.css')]
  const css = transformSync(styles.map((path) => readFileSync(path, 'utf8')).join('\n'), {
    loader: 'css',
    minify: true,
  })
  // A function: `$&` and its like mean something in a replacement that is a text.
  const script = outputFiles[0]?.text.trim().replaceAll('</script', '<\\/script') ?? ''
  return readFileSync(join(SOURCE, 'page.html'), 'utf8')
    .replace(/(<style>)(<\/style>)/, (_, open, close) => `${open}${css.code.trim()}${close}`)
    .replace(/(<script[^>]*>)(<\/script>)/, (_, open, close) => `${open}${script}${close}`)
}

export function buildDashboard() {
  writeFileSync(join(root, DASHBOARD), dashboardPage())
}
