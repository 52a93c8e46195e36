import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLog } from '../../../../src/base/log.ts';
import { createReadiness, type ReadinessCheck } from '../../../../src/http/listener/readiness.ts';

const log = createLog({ level: 'silent', format: 'json' });

const ledgerCheck = (check: ReadinessCheck['check']): ReadinessCheck => ({
  part: 'ledger',
  failureText: () => 'The ledger does not answer.',
  slowText: 'The ledger is slow.',
  check,
});

const BROKEN = { part: 'ledger', reason: 'The ledger does not answer.' };
const SLOW = { part: 'ledger', reason: 'The ledger is slow.' };

describe('readiness', () => {
  test('needs every part, and names each failed part without its error text', async () => {
    const ready = createReadiness(log, [
      ledgerCheck(async () => {}),
      {
        part: 'blobs',
        failureText: () => 'No files can be stored.',
        slowText: '',
        check: () => Promise.reject(new Error('EACCES /secret')),
      },
      {
        part: 'a.example',
        failureText: () => 'The stream is down.',
        slowText: '',
        check: () => {
          throw new Error('thrown at once');
        },
      },
    ]);
    assert.deepEqual(await ready(), {
      ready: false,
      reasons: [
        { part: 'blobs', reason: 'No files can be stored.' },
        { part: 'a.example', reason: 'The stream is down.' },
      ],
      slow: [],
    });
  });

  test('is reported if no part is down', async () => {
    assert.deepEqual(await createReadiness(log, [])(), { ready: true, reasons: [], slow: [] });
  });

  test('remains while a part does not answer, which is reported as slow', async () => {
    const hung = ledgerCheck(() => new Promise<void>(() => {}));
    const state = await createReadiness(log, [hung], { slowAfterMs: 5 })();
    assert.deepEqual(state, { ready: true, reasons: [], slow: [SLOW] });
  });

  test('remains while a part reports overload', async () => {
    const overloaded = {
      ...ledgerCheck(() => Promise.reject(new Error('too many connections'))),
      isOverload: (error: unknown) => error instanceof Error && error.message === 'too many connections',
    };
    const state = await createReadiness(log, [overloaded])();
    assert.deepEqual(state, { ready: true, reasons: [], slow: [SLOW] });
  });

  test('does not come back while a broken part does not answer, and comes back with its next success', async () => {
    const probe = await startProbes();
    probe.answer.reject(new Error('away'));
    assert.deepEqual((await probe.next()).reasons, [BROKEN]);
    const hung = await probe.next();
    assert.deepEqual([hung.ready, hung.reasons], [false, [BROKEN]]);
    probe.answer.resolve();
    assert.deepEqual(await probe.next(), { ready: true, reasons: [], slow: [] });
  });

  test('ends when a late check fails, and no second check is started meanwhile', async () => {
    const probe = await startProbes();
    assert.deepEqual((await probe.next()).slow, [SLOW]);
    assert.deepEqual((await probe.next()).slow, [SLOW]);
    assert.equal(probe.calls(), 1);
    probe.answer.reject(new Error('away'));
    await nextTurn();
    const state = await probe.next();
    assert.deepEqual([state.ready, state.reasons], [false, [BROKEN]]);
  });

  test('is logged once for each change of a part', async () => {
    const lines: string[] = [];
    const logs = mock.fn((_fields: object, text: string) => void lines.push(text));
    const probe = await startProbes({ ...log, warn: logs, info: logs } as unknown as typeof log);
    await probe.next();
    await probe.next();
    probe.answer.reject(new Error('away'));
    await probe.next();
    await probe.next();
    probe.answer.resolve();
    await probe.next();
    assert.deepEqual(lines, ['The ledger is slow.', 'The ledger does not answer.', 'works again']);
  });

  test('runs the checks once for many concurrent probes', async () => {
    let asked = 0;
    const answers = Promise.withResolvers<void>();
    const check = () => {
      asked += 1;
      return answers.promise;
    };
    const ready = createReadiness(log, [ledgerCheck(check)]);
    const flood = Array.from({ length: 1000 }, () => ready());
    answers.resolve();
    assert.ok((await Promise.all(flood)).every((state) => state.ready));
    assert.equal(asked, 1);
  });
});

/** Probes of a ledger that answers when the test allows it, with the validity of an answer switched off. */
async function startProbes(to = log) {
  let calls = 0;
  let answer = Promise.withResolvers<void>();
  const check = () => {
    calls += 1;
    return answer.promise.finally(() => {
      answer = Promise.withResolvers<void>();
    });
  };
  const ready = createReadiness(to, [ledgerCheck(check)], { slowAfterMs: 5, validMs: 0 });
  return {
    next: ready,
    calls: () => calls,
    get answer() {
      return answer;
    },
  };
}
