// The files of the repository and the imports between the sources, for the tests that hold them to the design.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'
import { root } from '../../scripts/entries.mjs'

export interface Import {
  /** As written: `../money.ts`, `node:fs`, `zod`. */
  readonly specifier: string
  /** `src/money.ts` where it is a file of ours. */
  readonly target: string | undefined
  readonly isTypeOnly: boolean
  /** `await import()`: on first use, not at import. */
  readonly isLazy: boolean
  /** `import './x.ts'`, for what it does rather than what it exports. */
  readonly isBare: boolean
}

export interface Source {
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
  /** Lines where the type `any` is written. */
  readonly anys: readonly number[]
  /** Statements other than imports and re-exports. */
  readonly ownStatements: number
}

/** Every file that git tracks or would take with `git add`. */
export function repositoryFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  return [...new Set(listed.split('\0'))].filter((path) => path !== '' && existsSync(`${root}/${path}`))
}

export function readText(path: string): string {
  return readFileSync(`${root}/${path}`, 'utf8')
}

export function readSource(path: string): Source {
  const text = readText(path)
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  const imports: Import[] = []
  const anys: number[] = []

  const add = (specifier: string, kind: Partial<Import> = {}): void => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined
    imports.push({ specifier, target, isTypeOnly: false, isLazy: false, isBare: false, ...kind })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
      add(node.moduleSpecifier.text, { isTypeOnly: isTypeOnly(node.importClause), isBare: !node.importClause })
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier))
      add(node.moduleSpecifier.text, { isTypeOnly: node.isTypeOnly })
    else if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    )
      add(node.argument.literal.text, { isTypeOnly: true })
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(ts.isStringLiteral(node.arguments[0]!) ? node.arguments[0].text : '(computed)', { isLazy: true })
    else if (node.kind === ts.SyntaxKind.AnyKeyword) anys.push(file.getLineAndCharacterOfPosition(node.pos).line + 1)
    ts.forEachChild(node, visit)
  }
  visit(file)

  const ownStatements = file.statements.filter(
    (it) => !ts.isImportDeclaration(it) && !ts.isExportDeclaration(it),
  ).length
  return { path, lines: text.split('\n').length - 1, imports, anys, ownStatements }
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const named = clause.namedBindings
  return !clause.name && !!named && ts.isNamedImports(named) && named.elements.every((element) => element.isTypeOnly)
}

/** The first circle of imports that are needed to load a module; `undefined` where there is none. */
export function findCycle(sources: readonly Source[]): string[] | undefined {
  const needs = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.flatMap((it) => (it.target && !it.isTypeOnly && !it.isLazy ? [it.target] : [])),
    ]),
  )
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const next of needs.get(path) ?? []) {
      const found = walk(next, [...trail, path])
      if (found) return found
    }
    done.add(path)
    return undefined
  }
  for (const path of needs.keys()) {
    const found = walk(path, [])
    if (found) return found
  }
  return undefined
}
