import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { chunks, inList } from '../../../src/ledger/sql/database.ts';
import { createLedger } from '../../../src/ledger/sql/methods.ts';
import { SqliteDatabase } from '../../../src/ledger/sqlite/database.ts';
import { issue, JULIET, ROMEO, store } from '../../conformance/ledger/fixture.ts';

describe('SQL databases', () => {
  let folder = '';
  let db: SqliteDatabase;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
    db = new SqliteDatabase({ file: join(folder, 'porter.db'), sync: false });
    await db.migrate();
    await db.transaction((q) => q.query('create table notes (text text primary key)'));
  });
  after(async () => {
    await db.close();
    await rm(folder, { recursive: true });
  });

  const note = (text: string) =>
    db.transaction((q) => q.query('insert into notes (text) values ($1)', [text]));
  const notes = async () =>
    (await db.query<{ text: string }>('select text from notes order by text')).map(({ text }) => text);

  test('a failed transaction does not affect others of its batch', async () => {
    const failing = db.transaction(async (q) => {
      await q.query('insert into notes (text) values ($1)', ['lost']);
      throw new Error('on purpose');
    });
    const answers = await Promise.allSettled([note('a'), failing, note('b'), note('a')]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
    );
    assert.deepEqual(await notes(), ['a', 'b']);
  });

  test('a failed commit rolls back and rejects its whole batch', async () => {
    await db.transaction(async (q) => {
      await q.query('create table parents (id integer primary key)');
      await q.query(
        'create table children (id integer references parents (id) deferrable initially deferred)',
      );
    });
    const orphan = db.transaction((q) => q.query('insert into children (id) values (1)'));
    const answers = await Promise.allSettled([note('in vain'), orphan]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal((await notes()).includes('in vain'), false);
    await note('afterwards');
    assert.equal((await notes()).includes('afterwards'), true);
  });

  test('reads see only committed rows', async () => {
    let seen: string[] | undefined;
    await db.transaction(async (q) => {
      await q.query("insert into notes (text) values ('later')");
      seen = await notes();
    });
    assert.deepEqual(seen?.includes('later'), false);
    assert.deepEqual((await notes()).includes('later'), true);
  });

  test('a numbered parameter can be used several times in any order', async () => {
    const [row] = await db.query<{ all: string }>('select $2 || $1 || $2 as "all"', ['a', 'b']);
    assert.equal(row?.all, 'bab');
  });

  test('an error of the engine becomes a LedgerError with its cause', async () => {
    await assert.rejects(db.query('select nonsense'), (error: Error) => {
      assert.equal(error.name, 'LedgerError');
      assert.ok(error.cause instanceof Error);
      return true;
    });
  });

  test('a new owner gets another id if the first is taken', async () => {
    const ids = [7, 7, 7, 8];
    const ledger = createLedger(db, { newOwnerId: () => ids.shift() ?? 0 });
    await issue(ledger, { upload: { owner: JULIET } });
    await issue(ledger, { upload: { owner: ROMEO } });
    const owners = await db.query<{ id: number; name: string }>('select id, name from owners order by id');
    assert.deepEqual(
      owners.map(({ id, name }) => [id, name]),
      [
        [7, JULIET],
        [8, ROMEO],
      ],
    );
  });

  test('recount finds wrong counters and repairs them on request', async () => {
    const ledger = createLedger(db);
    const owner = 'mercutio@example.org';
    const stats = await ledger.stats();
    await store(ledger, { upload: { owner, purpose: 'profile' } });
    await issue(ledger, { upload: { owner } });
    const right = await ledger.usage(owner);
    await db.transaction(async (q) => {
      await q.query('update owners set bytes = bytes + 5, pending_uploads = 3 where name = $1', [owner]);
      await q.query('update owner_purposes set bytes = 1');
    });
    assert.equal(await ledger.recount({ owner, repair: false }), true);
    assert.notDeepEqual(await ledger.usage(owner), right);
    assert.equal(await ledger.recount({ owner, repair: true }), true);
    assert.deepEqual(await ledger.usage(owner), right);
    assert.equal(await ledger.recount({ owner, repair: false }), false);
    assert.equal((await ledger.stats()).owners, stats.owners + 1);
  });

  test('chunks keep all items and have few sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 900 }), (items) => {
        const result = chunks(items);
        assert.deepEqual(result.flat(), items);
        for (const { length } of result) assert.ok(length <= 256 && Number.isInteger(Math.log2(length)));
      }),
    );
    assert.equal(inList(3, 2), '($2, $3, $4)');
  });
});
