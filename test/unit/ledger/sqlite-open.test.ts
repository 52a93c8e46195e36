import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, test } from 'node:test';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { fromSqliteError } from '../../../src/ledger/sqlite/sqlite-error.ts';
import { heartbeatOf } from '../../conformance/ledger/fixture.ts';

describe('opening an SQLite ledger', () => {
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

  test('creates the folder with access for its user only', async () => {
    const data = join(folder, 'a', 'data');
    const ledger = await open(join(data, 'porter.db'));
    await ledger.close();
    assert.equal((await stat(data)).mode & 0o777, 0o700);
  });

  test('keeps the data of an earlier process', async () => {
    const first = await open();
    await first.heartbeat(heartbeatOf('x', 1));
    await first.close();
    const again = await open();
    assert.equal((await again.stats()).owners, 0);
    await again.close();
    const db = new DatabaseSync(file);
    assert.equal(db.prepare('select count(*) as count from instances').get()?.count, 1);
    assert.equal(db.prepare('pragma journal_mode').get()?.journal_mode, 'wal');
    db.close();
  });

  test('refuses a database of a newer version and names both versions', async () => {
    await (await open()).close();
    const db = new DatabaseSync(file);
    db.exec("insert into migrations values (9001, 'from_the_future', 0)");
    db.close();
    await assert.rejects(open(), {
      name: 'LedgerError',
      kind: 'newer',
      message: /migrated by a newer version of Porter \(migration 9001; this version supports \d+\)/,
    });
  });

  test('refuses a file that is not a database and does not change it', async () => {
    await writeFile(file, 'This is my shopping list, and not a database at all.\n'.repeat(50));
    const sizeBefore = (await stat(file)).size;
    await assert.rejects(open(), (error: LedgerError) => {
      assert.equal(error.kind, 'damaged');
      assert.match(error.message, /is not an SQLite database .*storage\.ledger/);
      assert.ok(error.message.includes(file));
      return true;
    });
    assert.equal((await stat(file)).size, sizeBefore);
  });

  test('names the folder that cannot be created, the user and the remedy', async () => {
    await writeFile(join(folder, 'not-a-folder'), '');
    await assert.rejects(open(join(folder, 'not-a-folder', 'porter.db')), (error: Error) => {
      assert.equal(error.name, 'LedgerError');
      assert.match(
        error.message,
        /Cannot create the folder .* of the ledger \(\w+, running as uid \d+\)\. Create it/,
      );
      assert.ok(error.message.includes(join(folder, 'not-a-folder')));
      return true;
    });
  });

  test('names the file that cannot be opened, the user and the remedy', async () => {
    await mkdir(file);
    await assert.rejects(open(), (error: Error) => {
      assert.match(error.message, /Cannot open the ledger .*running as uid \d+\).*chown -R \d+ /);
      assert.ok(error.message.includes(file));
      return true;
    });
  });

  test('reports a read-only file and a full disk by kind, with the error of SQLite as cause', () => {
    const native = Object.assign(new Error('attempt to write a readonly database'), { errcode: 8 });
    const denied = fromSqliteError(native, '/data/porter.db');
    assert.ok(denied instanceof LedgerError);
    assert.deepEqual([denied.kind, denied.cause], ['denied', native]);
    assert.match(denied.message, /^Cannot write to the ledger \/data\/porter\.db .*chown -R \d+ \/data$/);
    const full = fromSqliteError(
      Object.assign(new Error('database or disk is full'), { errcode: 13 }),
      '/data/porter.db',
    );
    assert.ok(full instanceof LedgerError && full.kind === 'full');
    assert.equal(fromSqliteError(denied, '/data/porter.db'), denied);
  });

  test('names a remedy for errors of the disk and for unknown errors', () => {
    const textOf = (errcode: number) =>
      (fromSqliteError(Object.assign(new Error('reason'), { errcode }), '/data/porter.db') as Error).message;
    assert.match(textOf(10), /porter\.db reports an error \(reason\)\. Check the disk .*porter fsck$/);
    assert.match(textOf(1), /porter\.db failed \(reason\)\. Start Porter again.*porter fsck$/);
  });
});
