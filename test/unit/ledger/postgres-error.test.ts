import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { parseSafeInteger } from '../../../src/ledger/postgres/connection.ts';
import { fromPostgresError, retryReasonFor } from '../../../src/ledger/postgres/postgres-error.ts';

const convert = (code: string, message = 'could not extend file "base/5/123"') =>
  fromPostgresError(Object.assign(new Error(message), { code, severity: 'ERROR' }));

describe('errors of PostgreSQL', () => {
  test('have a LedgerErrorKind', () => {
    assert.equal(convert('53100').kind, 'full');
    assert.equal(convert('28P01').kind, 'denied');
    assert.equal(convert('3D000').kind, 'denied');
    assert.equal(convert('42501').kind, 'denied');
    assert.equal(convert('53300').kind, 'busy');
    assert.equal(convert('XX001').kind, 'damaged');
    assert.equal(convert('22P02').kind, 'failed');
  });

  test('name a remedy, also if Porter does not know the error', () => {
    for (const code of ['53100', '28P01', '42501', 'XX001', '22P02']) {
      assert.match(convert(code).message, /\(SQLSTATE \w+\)\. \w+/);
    }
  });

  test('name no files of the server, but the rejected login', () => {
    assert.ok(!convert('53100').message.includes('base/'));
    assert.match(
      convert('28P01', 'password authentication failed for user "porter"').message,
      /user "porter"/,
    );
  });

  test('are retried only if a repetition can succeed', () => {
    assert.equal(retryReasonFor(convert('40P01')), 'conflict');
    assert.equal(retryReasonFor(convert('23505')), 'duplicate_key');
    assert.equal(retryReasonFor(convert('57P01')), 'connection_lost');
    assert.equal(retryReasonFor(convert('08006')), 'connection_lost');
    assert.equal(
      retryReasonFor(fromPostgresError(Object.assign(new Error('read'), { code: 'ECONNRESET' }))),
      'connection_lost',
    );
    assert.equal(
      retryReasonFor(fromPostgresError(Object.assign(new Error('write'), { code: 'EPIPE' }))),
      'connection_lost',
    );
    assert.equal(
      retryReasonFor(fromPostgresError(new Error('Connection terminated unexpectedly'))),
      'connection_lost',
    );
    assert.equal(retryReasonFor(convert('0A000')), 'stale_plan');
    assert.equal(retryReasonFor(convert('25006')), 'read_only');
    assert.equal(retryReasonFor(convert('53100')), undefined);
    assert.equal(retryReasonFor(convert('28P01')), undefined);
    assert.equal(retryReasonFor(new Error('not from PostgreSQL')), undefined);
    assert.equal(retryReasonFor(new LedgerError('closed', 'The ledger is closed.')), undefined);
  });

  test('a bigint that JavaScript would round is an error', () => {
    assert.equal(parseSafeInteger('9007199254740991'), Number.MAX_SAFE_INTEGER);
    assert.throws(() => parseSafeInteger('9007199254740993'), { name: 'LedgerError', kind: 'damaged' });
  });
});
