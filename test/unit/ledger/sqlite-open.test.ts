import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, test } from 'node:test';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { fromSqliteError } from '../../../src/ledger/sqlite/sqlite-error.ts';

describe('opening the ledger', () => {
  let root = '';
  let folder = '';
  let file = '';
  let count = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
  });
  after(() => rm(root, { recursive: true }));
  beforeEach(async () => {
    count += 1;
    folder = join(root, String(count));
    file = join(folder, 'porter.db');
    await mkdir(folder);
  });

  const open = (where = file) => openSqliteLedger({ file: where, sync: false });

  test('makes the folder, for its user alone', async () => {
    const data = join(folder, 'a', 'data');
    const ledger = await open(join(data, 'porter.db'));
    await ledger.close();
    assert.equal((await stat(data)).mode & 0o777, 0o700);
  });

  test('finds again what was there before', async () => {
    const first = await open();
    await first.heartbeat({ id: 'x', host: 'h', pid: 1, now: 1 });
    await first.close();
    const again = await open();
    assert.equal((await again.stats()).owners, 0);
    await again.close();
    const db = new DatabaseSync(file);
    assert.equal(db.prepare('select count(*) as count from instances').get()?.count, 1);
    assert.equal(db.prepare('pragma journal_mode').get()?.journal_mode, 'wal');
    db.close();
  });

  test('refuses a ledger that a newer program has written, in words', async () => {
    await (await open()).close();
    const db = new DatabaseSync(file);
    db.exec("insert into migrations values (9001, 'from_the_future', 0)");
    db.close();
    await assert.rejects(open(), {
      name: 'LedgerError',
      kind: 'newer',
      message: /written by a newer Porter: it is at migration 9001, this program knows \d+\./,
    });
  });

  test('refuses a file that is no database, in words, and leaves it as it is', async () => {
    await writeFile(file, 'This is my shopping list, and not a database at all.\n'.repeat(50));
    const before = await stat(file);
    await assert.rejects(open(), { kind: 'damaged', message: /is not an SQLite database/ });
    assert.equal((await stat(file)).size, before.size);
  });

  test('says that a folder cannot be made, without naming it', async () => {
    await writeFile(join(folder, 'not-a-folder'), '');
    await assert.rejects(open(join(folder, 'not-a-folder', 'porter.db')), (fault: Error) => {
      assert.equal(fault.name, 'LedgerError');
      assert.match(fault.message, /folder of the ledger cannot be made/);
      assert.ok(!fault.message.includes(folder));
      return true;
    });
  });

  test('says that a file cannot be opened, without naming it', async () => {
    await mkdir(file);
    await assert.rejects(open(), (fault: Error) => {
      assert.match(fault.message, /cannot be opened/);
      assert.ok(!fault.message.includes(folder));
      return true;
    });
  });

  test('says that a file may not be written, where SQLite says so', () => {
    const native = Object.assign(new Error('attempt to write a readonly database'), { errcode: 8 });
    const fault = fromSqliteError(native);
    assert.ok(fault instanceof LedgerError);
    assert.deepEqual([fault.kind, fault.cause], ['denied', native]);
    const full = fromSqliteError(Object.assign(new Error('database or disk is full'), { errcode: 13 }));
    assert.ok(full instanceof LedgerError && full.kind === 'full');
    assert.equal(fromSqliteError(fault), fault);
  });
});
