import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Ledger } from '../../src/ledger/contract/ledger.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { checkCounters, JULIET, reservation } from './ledger/fixture.ts';

const CHILD = join(import.meta.dirname, 'ledger', 'child-process.ts');
const start = (file: string, ...args: string[]) =>
  spawn(process.execPath, [CHILD, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });

describe('processes on one SQLite file', () => {
  let folder = '';
  let file = '';
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
  });
  after(() => rm(folder, { recursive: true }));
  beforeEach(() => {
    count += 1;
    file = join(folder, `${count}.db`);
  });

  const withLedger = async (work: (ledger: Ledger) => Promise<void>) => {
    const ledger = await openSqliteLedger({ file, sync: true });
    try {
      await work(ledger);
    } finally {
      await ledger.close();
    }
  };

  test('a killed process loses no acknowledged upload', async () => {
    const child = start(file, 'store');
    const ids: string[] = [];
    for await (const id of createInterface({ input: child.stdout })) {
      ids.push(id);
      if (ids.length === 500) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
    await withLedger(async (ledger) => {
      const states = await Promise.all(ids.map(async (id) => (await ledger.find(id))?.state));
      assert.deepEqual(new Set(states), new Set(['stored']));
      await checkCounters(ledger);
    });
  });

  test('several that start at once on a new file share one quota without errors', async () => {
    const children = [1, 2, 3].map(() => start(file, 'reserve', '10000', '60'));
    const counts = await Promise.all(children.map(async ({ stdout }) => Number(await text(stdout))));
    assert.equal(
      counts.reduce((sum, granted) => sum + granted, 0),
      100,
    );
    await withLedger(checkCounters);
  });

  test('a long sweep of one delays the other, but does not fail it', async () => {
    await withLedger(async (ledger) => {
      const slots = Array.from({ length: 2000 }, () => ledger.reserve(reservation()));
      await Promise.all(slots);
      const other = await openSqliteLedger({ file, sync: true });
      const now = Date.now() * 2;
      const sweeps = Array.from({ length: 20 }, () => other.sweep({ kind: 'unused', limit: 100, now }));
      const asked = Array.from({ length: 100 }, () => ledger.reserve(reservation({ now })));
      const swept = await Promise.all(sweeps);
      assert.deepEqual(new Set((await Promise.all(asked)).map(({ granted }) => granted)), new Set([true]));
      assert.equal(
        swept.reduce((sum, { count: gone }) => sum + gone, 0),
        2000,
      );
      await other.close();
      assert.equal((await ledger.usage(JULIET)).pendingUploads, 100);
      await checkCounters(ledger);
    });
  });
});
