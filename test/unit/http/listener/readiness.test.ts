import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog } from '../../../../src/base/log.ts';
import { createReadiness } from '../../../../src/http/listener/readiness.ts';

const log = createLog({ level: 'silent', format: 'json' });

describe('readiness', () => {
  test('needs every part, and names each failed part without its error text', async () => {
    const ready = createReadiness(log, [
      { part: 'ledger', failureText: 'The ledger does not answer.', check: async () => {} },
      {
        part: 'blobs',
        failureText: 'No files can be stored.',
        check: () => Promise.reject(new Error('EACCES /secret')),
      },
      {
        part: 'a.example',
        failureText: 'The stream is down.',
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
    });
  });

  test('is reported if no part is down', async () => {
    assert.deepEqual(await createReadiness(log, [])(), { ready: true, reasons: [] });
  });

  test('does not wait for a part that does not answer', async () => {
    const hung = {
      part: 'ledger',
      failureText: 'The ledger does not answer.',
      check: () => new Promise<void>(() => {}),
    };
    const state = await createReadiness(log, [hung], 10)();
    assert.deepEqual(state.reasons, [{ part: 'ledger', reason: 'The ledger does not answer.' }]);
  });

  test('runs the checks once for many concurrent probes', async () => {
    let asked = 0;
    const answers = Promise.withResolvers<void>();
    const check = () => {
      asked += 1;
      return answers.promise;
    };
    const ready = createReadiness(log, [{ part: 'ledger', failureText: '', check }]);
    const flood = Array.from({ length: 1000 }, () => ready());
    answers.resolve();
    assert.ok((await Promise.all(flood)).every((state) => state.ready));
    assert.equal(asked, 1);
  });
});
