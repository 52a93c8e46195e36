import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasKnownCause } from '../../../src/base/log-lines/known-errors.ts';
import { BlobError } from '../../../src/blobs/contract.ts';
import { toS3BlobError } from '../../../src/blobs/s3/s3-error.ts';
import { RelayError } from '../../../src/cluster/relay.ts';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { fromPostgresError } from '../../../src/ledger/postgres/postgres-error.ts';
import { createServerReadiness } from '../../../src/server/readiness-checks.ts';
import { openTestServices } from '../../support/test-services.ts';

const throttled = toS3BlobError({ Code: 'SlowDown', $metadata: { httpStatusCode: 503 } });
const poolInUse = fromPostgresError(new Error('timeout exceeded when trying to connect'));
const lateStatement = fromPostgresError(new Error('Query read timeout'));

describe('the readiness of the stores', () => {
  for (const [part, what, error, expected] of [
    ['ledger', 'a full disk', new LedgerError('full', ''), 'The disk of the ledger is full.'],
    ['ledger', 'an absent server', new LedgerError('unreachable', ''), 'The ledger does not answer.'],
    ['ledger', 'a read-only server', new LedgerError('denied', ''), 'The ledger cannot be written.'],
    ['ledger', 'no free connection', poolInUse, 'slow'],
    ['ledger', 'a statement that takes too long', lateStatement, 'slow'],
    ['blobs', 'a full disk', new BlobError('full', ''), 'The disk or bucket of the blobs is full.'],
    ['blobs', 'a lack of rights', new BlobError('denied', ''), 'The blobs cannot be written.'],
    ['blobs', 'S3 that asks for fewer requests', throttled, 'slow'],
  ] as const) {
    test(`of the ${part} with ${what}: ${expected}`, async (t) => {
      const { services } = await openTestServices(t);
      const checkWritable = () => Promise.reject(error);
      const changed = { ...services, [part]: { ...services[part], checkWritable } };
      const { ready, reasons, slow } = await readinessOf(changed);
      assert.equal(ready, expected === 'slow');
      const [report] = expected === 'slow' ? slow : reasons;
      assert.equal(report?.part, part);
      if (expected !== 'slow') assert.equal(report?.reason, expected);
    });
  }

  test('names the file store of another database', async (t) => {
    const { services } = await openTestServices(t);
    await services.blobs.writeIdentity('another');
    const { reasons } = await readinessOf(services);
    assert.deepEqual(reasons, [
      { part: 'storage', reason: 'The file store does not belong to the database.' },
    ]);
  });

  test('logs a stream that is down and a foreign file store with their causes, not as faults of the program', async (t) => {
    const { services } = await openTestServices(t);
    await services.blobs.writeIdentity('another');
    const logged: { readonly part: string; readonly err: Error }[] = [];
    const log = { info() {}, warn: (record: (typeof logged)[number]) => logged.push(record) };
    const down = { jid: 'upload.example.org', up: false, lastError: 'nothing listens at 127.0.0.1:5347' };
    await readinessOf({ ...services, log: log as never }, ['upload.example.org'], [down]);
    assert.deepEqual(
      new Map(logged.map(({ part, err }) => [part, hasKnownCause(err)])),
      new Map([
        ['storage', true],
        ['upload.example.org', true],
      ]),
    );
    const stream = logged.find(({ part }) => part === 'upload.example.org');
    assert.equal(stream?.err.message, 'nothing listens at 127.0.0.1:5347');
  });

  test('of a stream whose process does not answer in time is slow, and without a leader broken', async (t) => {
    const { services } = await openTestServices(t);
    for (const [kind, ready] of [
      ['timeout', true],
      ['unavailable', false],
    ] as const) {
      const state = await readinessOf(services, ['upload.example.org'], new RelayError(kind, ''));
      assert.equal(state.ready, ready);
      assert.equal((ready ? state.slow : state.reasons)[0]?.part, 'upload.example.org');
    }
  });
});

function readinessOf(
  services: Awaited<ReturnType<typeof openTestServices>>['services'],
  jids: readonly string[] = [],
  /** An error, or the streams that the leader reports. */
  answer?: RelayError | readonly object[],
) {
  const storage = { ledger: { kind: 'sqlite', path: 'l' }, blobs: { kind: 'folder', path: 'b' } };
  const config = { component: jids.map((jid) => ({ jid })), storage };
  const runtime = { services, config } as unknown as Parameters<typeof createServerReadiness>[0];
  const relay = {
    request: async () => {
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as Parameters<typeof createServerReadiness>[1];
  return createServerReadiness(runtime, relay, services.log)();
}
