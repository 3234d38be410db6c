// A transaction of SQLite that fails leaves nothing behind: no row, and no lock that keeps others out.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { inTransaction, rollBack } from '../../src/sqlite/transaction.ts'
import { temporaryFolder } from '../support/ingest.ts'

test('what fails half-way is undone, and another connection may write', () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'some.db')
  using db = new DatabaseSync(path)
  db.exec('CREATE TABLE t (n INTEGER) STRICT')
  const insert = (n: number | string) => db.prepare('INSERT INTO t VALUES (?)').run(n)
  expect(() => inTransaction(db, () => [insert(1), insert('one')])).toThrow(/cannot store TEXT/)
  using other = new DatabaseSync(path)
  inTransaction(other, () => other.exec('INSERT INTO t VALUES (2)'))
  expect(inTransaction(db, () => Number(insert(3).changes))).toBe(1)
  expect(db.prepare('SELECT n FROM t').all()).toEqual([{ n: 2 }, { n: 3 }])
})

test('what SQLite has undone by itself is not undone again, and a connection that is gone says so', () => {
  const db = new DatabaseSync(':memory:')
  db.exec('BEGIN')
  rollBack(db)
  rollBack(db)
  expect(db.isTransaction).toBe(false)
  db.close()
  expect(() => rollBack(db)).toThrow(/not open/)
})
