import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Machine, thisMachine } from '../../../src/base/system-resources.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';

const UNKNOWN = { machineId: '', bootId: '', pidNamespace: '' };

describe('an SQLite file that a server on another machine uses', () => {
  let folder = '';
  let file = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-other-machine-'));
    file = join(folder, 'porter.db');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const open = () => openSqliteLedger({ file, sync: false });

  const openAndClose = async () => (await open()).close();

  /** Leaves the file as a server that has sent its last heartbeat `silentMs` milliseconds ago. */
  async function leaveHeartbeat(machine: Partial<Machine>, silentMs: number): Promise<void> {
    const ledger = await open();
    const ledgerTime = Date.now() - silentMs;
    const heartbeat = { ...thisMachine, ...machine, id: 'other', pid: 42, clockSkewMs: null, ledgerTime };
    await ledger.heartbeat(heartbeat);
    await ledger.close();
  }

  test('is not opened, and the error names the machine, the remedies and the time', async () => {
    await leaveHeartbeat({ host: 'alpha', bootId: 'other' }, 20_000);
    await assert.rejects(openAndClose(), {
      name: 'LedgerError',
      kind: 'busy',
      message:
        /^Porter on the machine alpha \(process 42\) used the ledger .*porter\.db 2\d s ago\. .*Stop Porter there, or use PostgreSQL.*try again in [34]\d s\.$/,
    });
  });

  test('is not migrated or changed by the attempt', async () => {
    await leaveHeartbeat({ bootId: 'other' }, 0);
    change('delete from migrations where version > 1');
    await assert.rejects(openAndClose(), { kind: 'busy' });
    assert.equal(change('select * from migrations').length, 1);
  });

  function change(sql: string): unknown[] {
    const db = new DatabaseSync(file);
    try {
      return db.prepare(sql).all();
    } finally {
      db.close();
    }
  }

  for (const [opens, what, machine, silentMs] of [
    [true, 'of this machine', {}, 0],
    [true, 'in another container of this machine', { machineId: '', pidNamespace: 'pid:[1]', host: 'c2' }, 0],
    [true, 'of this machine, in an earlier version of Porter', UNKNOWN, 0],
    [true, 'of another machine that crashed a minute ago', { bootId: 'other' }, 61_000],
    [true, 'that ran until a power cut, after which the clock is an hour behind', { bootId: 'b' }, -3600_000],
    [false, 'of a clone of this machine', { bootId: 'other' }, 0],
    [false, 'of another machine whose clock is ahead', { bootId: 'other' }, -20_000],
    [false, 'of another machine without boot ids', { ...UNKNOWN, host: 'other' }, 0],
  ] as const) {
    test(`is ${opens ? 'opened' : 'not opened'} beside a server ${what}`, async () => {
      await leaveHeartbeat(machine, silentMs);
      if (opens) await openAndClose();
      else await assert.rejects(openAndClose(), { kind: 'busy' });
    });
  }

  /** Leaves the file beside the database as a server on another machine that has written it `silentMs` milliseconds ago. */
  async function leaveMachineFile(silentMs: number): Promise<void> {
    const other = { ...thisMachine, host: 'alpha', bootId: 'other', pid: 42, seenAt: Date.now() - silentMs };
    await writeFile(`${file}-machine`, JSON.stringify(other));
  }

  const beat = { ...thisMachine, id: 'this', pid: process.pid, clockSkewMs: null };

  test('is not opened if only the file beside it shows that server', async () => {
    await openAndClose();
    await leaveMachineFile(20_000);
    await assert.rejects(openAndClose(), {
      kind: 'busy',
      message: /^Porter on the machine alpha \(process 42\)/,
    });
    await leaveMachineFile(61_000);
    await openAndClose();
  });

  test('is no longer used if that server has started within the same seconds', async (t) => {
    const ended: unknown[] = [];
    const ledger = await openSqliteLedger({ file, sync: false }, (error) => ended.push(error));
    t.after(() => ledger.close());
    await ledger.heartbeat(beat);
    await ledger.heartbeat(beat);
    assert.deepEqual(ended, []);
    await leaveMachineFile(1000);
    await assert.rejects(ledger.heartbeat(beat), { kind: 'busy' });
    assert.equal(ended.length, 1);
    assert.match(await readFile(`${file}-machine`, 'utf8'), /alpha/, 'the other server continues');
  });

  test('is opened at once by another machine after this one was stopped', async () => {
    const ledger = await open();
    await ledger.heartbeat(beat);
    assert.ok(existsSync(`${file}-machine`));
    await ledger.close();
    assert.ok(!existsSync(`${file}-machine`));
  });

  test('is opened at once after that server was stopped', async () => {
    await leaveHeartbeat({ bootId: 'other' }, 120_000);
    const ledger = await open();
    await ledger.heartbeat({ ...thisMachine, bootId: 'other', id: 'other', pid: 42, clockSkewMs: null });
    await ledger.removeInstances(['other']);
    await ledger.close();
    await openAndClose();
  });
});
