import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { Refusal } from '../../../src/base/errors.ts';
import type { Ledger, RefusalRecord } from '../../../src/ledger/contract/ledger.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import { createRefusalLog, type RefusedRequest } from '../../../src/uploads/refusals/refusal-log.ts';
import { uploadRules } from '../../support/granting-services.ts';

const ROMEO = 'romeo@example.org';
const rules = uploadRules([{ ...allowAllRule, jid: ['@example\\.org$'] }]);

function open(record: (refusals: readonly RefusalRecord[]) => Promise<void> = async () => undefined) {
  const written: (readonly RefusalRecord[])[] = [];
  const lines: string[] = [];
  const ledger: Pick<Ledger, 'recordRefusals'> = {
    async recordRefusals(refusals) {
      written.push(refusals);
      await record(refusals);
    },
  };
  let now = 1000;
  const log = createRefusalLog({
    ledger: ledger as Ledger,
    rules: () => rules,
    clock: () => now++,
    log: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
  });
  return { log, written, lines };
}

const refused = (change: Partial<RefusedRequest> = {}): RefusedRequest => ({
  kind: 'slot',
  endpoint: 'component',
  refusal: new Refusal('file_too_large'),
  owner: ROMEO,
  ...change,
});

describe('the log of refusals', () => {
  test('writes equal refusals as one row with a count, and a line for each', async () => {
    const { log, written, lines } = open();
    for (let i = 0; i < 1000; i += 1) log.add(refused());
    log.add(refused({ refusal: new Refusal('denied') }));
    await log.flush();
    assert.equal(written.length, 1);
    assert.deepEqual(
      written[0]?.map(({ code, times, firstAt, lastAt }) => [code, times, firstAt, lastAt]),
      [
        ['file_too_large', 1000, 1000, 1999],
        ['denied', 1, 2000, 2000],
      ],
    );
    assert.equal(lines.length, 1001);
    await log.flush();
    assert.equal(written.length, 1, 'nothing new, nothing written');
  });

  test('writes a bounded number of rows, of which strangers get only a part', async () => {
    const { log, written } = open();
    for (let i = 0; i < 2000; i += 1) log.add(refused({ owner: `x${i}@stranger.example` }));
    for (let i = 0; i < 2000; i += 1) log.add(refused({ owner: `user${i}@example.org` }));
    log.add(refused({ owner: 'x0@stranger.example' }));
    await log.flush();
    const rows = written.flat();
    assert.ok(rows.length <= 500, String(rows.length));
    const strangers = rows.filter(({ isDenied }) => isDenied);
    assert.ok(strangers.length <= 100 && rows.length - strangers.length >= 400);
    assert.equal(strangers[0]?.times, 2);
  });

  test('writes by itself soon after the first refusal, and once for all that follow', async (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { log, written } = open();
    log.add(refused());
    log.add(refused({ endpoint: 'messages' }));
    assert.equal(written.length, 0, 'no answer waits for the ledger');
    t.mock.timers.tick(1000);
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(written.length, 1);
    assert.equal(written[0]?.length, 2);
  });

  test('does not fail if the ledger does', async () => {
    const { log, written } = open(() => Promise.reject(new Error('down')));
    log.add(refused());
    await log.flush();
    log.add(refused());
    await log.flush();
    assert.equal(written.length, 2);
  });

  test('has no line and no row for the test uploads of porter doctor', async () => {
    const { log, written, lines } = open();
    log.add(refused({ endpoint: 'admin' }));
    await log.flush();
    assert.deepEqual([written.length, lines.length], [0, 0]);
  });
});
