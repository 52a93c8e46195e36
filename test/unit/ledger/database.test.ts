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

describe('the SQL seam', () => {
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

  test('a transaction that fails takes only itself back', async () => {
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

  test('where the commit fails, nothing of all that shares it has happened, and everybody is told', async () => {
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

  test('nobody sees what is not committed', async () => {
    let seen: string[] | undefined;
    await db.transaction(async (q) => {
      await q.query("insert into notes (text) values ('later')");
      seen = await notes();
    });
    assert.deepEqual(seen?.includes('later'), false);
    assert.deepEqual((await notes()).includes('later'), true);
  });

  test('parameters go where their number says, however often', async () => {
    const [row] = await db.query<{ all: string }>('select $2 || $1 || $2 as "all"', ['a', 'b']);
    assert.equal(row?.all, 'bab');
  });

  test('a failure of the engine comes as a fault with its cause', async () => {
    await assert.rejects(db.query('select nonsense'), (fault: Error) => {
      assert.equal(fault.name, 'LedgerError');
      assert.ok(fault.cause instanceof Error);
      return true;
    });
  });

  test('a new owner whose id is taken gets another one', async () => {
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

  test('wrong counters are found and, if wanted, repaired', async () => {
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

  test('lists are cut into few shapes and lose nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 900 }), (items) => {
        const cut = chunks(items);
        assert.deepEqual(cut.flat(), items);
        for (const { length } of cut) assert.ok(length <= 256 && Number.isInteger(Math.log2(length)));
      }),
    );
    assert.equal(inList(3, 2), '($2, $3, $4)');
  });
});
