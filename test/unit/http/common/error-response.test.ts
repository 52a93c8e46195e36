import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, errorTable, Refusal } from '../../../../src/base/errors.ts';
import { createLog } from '../../../../src/base/log.ts';
import { errorResponse } from '../../../../src/http/common/error-response.ts';

const context = { log: createLog({ level: 'silent', format: 'json' }), now: 1_000_000 };

describe('an error over HTTP', () => {
  test('is one line of text with the status of the table, for every error', () => {
    for (const code of Object.keys(errorTable) as ErrorCode[]) {
      const { status, headers, body } = errorResponse(new Refusal(code), context);
      assert.equal(status, errorTable[code].http);
      assert.match(body, /^[^\n]+\n$/);
      assert.equal(headers['Content-Length'], String(Buffer.byteLength(body)));
      assert.equal(headers['Content-Type'], 'text/plain; charset=utf-8');
      assert.equal(headers['Access-Control-Allow-Origin'], '*');
    }
  });

  test('has the status of its endpoint where that differs', () => {
    const statusAt = (endpoint: 'external' | 'file_share') =>
      errorResponse(new Refusal('size_mismatch'), { ...context, endpoint }).status;
    assert.deepEqual([statusAt('external'), statusAt('file_share')], [403, 413]);
  });

  test('has a Retry-After that is never too early', () => {
    const retry = (retryAt: number) =>
      errorResponse(new Refusal('quota_exceeded', { retryAt }), context).headers['Retry-After'];
    assert.deepEqual([retry(1_000_001), retry(1_001_000), retry(1_001_001), retry(0)], ['1', '1', '2', '1']);
    assert.equal(errorResponse(new Refusal('denied'), context).headers['Retry-After'], undefined);
  });

  test('is a problem document if the client accepts JSON', () => {
    const refusal = new Refusal('file_too_large', { text: 'At most 1 MiB.' });
    const { headers, body } = errorResponse(refusal, {
      ...context,
      accept: 'text/html, application/problem+json;q=0.9',
    });
    assert.equal(headers['Content-Type'], 'application/problem+json');
    assert.deepEqual(JSON.parse(body), {
      type: 'about:blank',
      title: 'Payload Too Large',
      status: 413,
      detail: 'At most 1 MiB.',
      code: 'file_too_large',
    });
  });

  test('that is internal shows the client an id and no details', () => {
    const { status, body } = errorResponse(
      new Error('open /var/lib/porter/x: EIO, password=hunter2'),
      context,
    );
    assert.equal(status, 500);
    assert.ok(!/var|EIO|hunter2/.test(body));
    assert.match(body, /^Internal error [0-9a-z]{10}\. The log of the server has details under this id\.\n$/);
  });
});
