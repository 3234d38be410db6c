// The YAML that compose.yaml is written in: maps, lists and scalars by their indentation. Throws for what it does not know.

export type Yaml = string | Yaml[] | { [name: string]: Yaml }

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

export function parseYaml(text: string): Yaml {
  const lines = text
    .split('\n')
    .map((line, i) => ({ indent: line.search(/\S/), text: line.trim(), number: i + 1 }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'))
  const left = [...lines]
  const value = blockOf(left, 0)
  if (left.length > 0) throw new Error(`line ${left[0]!.number} is indented otherwise than those before it`)
  return value
}

function blockOf(left: Line[], indent: number): Yaml {
  return left[0]?.text.startsWith('- ') ? listOf(left, indent) : mapOf(left, indent)
}

function listOf(left: Line[], indent: number): Yaml[] {
  const list: Yaml[] = []
  while (left[0]?.indent === indent && left[0].text.startsWith('- ')) list.push(scalarOf(left.shift()!.text.slice(2)))
  return list
}

function mapOf(left: Line[], indent: number): { [name: string]: Yaml } {
  const map: { [name: string]: Yaml } = {}
  while (left[0]?.indent === indent) {
    const { text, number } = left.shift()!
    const [, name, rest] = /^([\w.-]+):(?: (.+))?$/.exec(text) ?? []
    if (name === undefined || name in map) throw new Error(`line ${number} is no name that is new: ${text}`)
    const next = left[0]
    map[name] = rest !== undefined ? scalarOf(rest) : next && next.indent > indent ? blockOf(left, next.indent) : ''
  }
  return map
}

function scalarOf(text: string): Yaml {
  if (text.startsWith('[') || text.startsWith('"')) return JSON.parse(text) as Yaml
  if (/^[{&*!|>'%@`]|: | #/.test(text)) throw new Error(`no scalar that is known here: ${text}`)
  return text
}
