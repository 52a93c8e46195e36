import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { parseSafeInteger } from '../../../src/ledger/postgres/connection.ts';
import { fromPostgresError, retryReasonFor } from '../../../src/ledger/postgres/postgres-error.ts';

const said = (code: string, message = 'could not extend file "base/5/123"') =>
  fromPostgresError(Object.assign(new Error(message), { code, severity: 'ERROR' }));

describe('what PostgreSQL says', () => {
  test('has the kinds that the ledger knows', () => {
    assert.equal(said('53100').kind, 'full');
    assert.equal(said('28P01').kind, 'denied');
    assert.equal(said('3D000').kind, 'denied');
    assert.equal(said('42501').kind, 'denied');
    assert.equal(said('53300').kind, 'busy');
    assert.equal(said('XX001').kind, 'damaged');
    assert.equal(said('22P02').kind, 'failed');
  });

  test('names no files of the server', () => {
    assert.ok(!said('53100').message.includes('base/'));
    assert.match(said('28P01', 'password authentication failed for user "porter"').message, /user "porter"/);
  });

  test('is tried again where the work can do better another time, and nowhere else', () => {
    assert.equal(retryReasonFor(said('40P01')), 'conflict');
    assert.equal(retryReasonFor(said('23505')), 'taken');
    assert.equal(retryReasonFor(said('57P01')), 'lost');
    assert.equal(retryReasonFor(said('08006')), 'lost');
    assert.equal(
      retryReasonFor(fromPostgresError(Object.assign(new Error('read'), { code: 'ECONNRESET' }))),
      'lost',
    );
    assert.equal(
      retryReasonFor(fromPostgresError(Object.assign(new Error('write'), { code: 'EPIPE' }))),
      'lost',
    );
    assert.equal(retryReasonFor(fromPostgresError(new Error('Connection terminated unexpectedly'))), 'lost');
    assert.equal(retryReasonFor(said('0A000')), 'stale');
    assert.equal(retryReasonFor(said('53100')), undefined);
    assert.equal(retryReasonFor(said('28P01')), undefined);
    assert.equal(retryReasonFor(new Error('a fault of our own')), undefined);
    assert.equal(retryReasonFor(new LedgerError('closed', 'The ledger is closed.')), undefined);
  });

  test('is no number that JavaScript would round', () => {
    assert.equal(parseSafeInteger('9007199254740991'), Number.MAX_SAFE_INTEGER);
    assert.throws(() => parseSafeInteger('9007199254740993'), { name: 'LedgerError', kind: 'damaged' });
  });
});
