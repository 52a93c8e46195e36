import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { RequestBody } from '../../../src/http/common/request-body.ts';
import { isSameBody } from '../../../src/uploads/compare-bytes.ts';
import { openTestServices } from '../../support/test-services.ts';

describe('a repeated body', () => {
  test('counts as the same only with all bytes of the file, however it is cut into chunks', async (t) => {
    const { services, upload } = await openTestServices(t);
    const { id } = await upload({ size: 100 });
    const stored = (await services.ledger.find(id)) ?? assert.fail();
    const isSame = (...chunks: readonly string[]) => {
      const stream = Readable.from(
        chunks.map((chunk) => Buffer.from(chunk)),
        { objectMode: false },
      );
      return isSameBody(services, stored, new RequestBody(stream, { idleTimeoutMs: 60_000 }));
    };
    assert.equal(await isSame('x'.repeat(100)), true);
    assert.equal(await isSame('x'.repeat(33), 'x', 'x'.repeat(66)), true);
    assert.equal(await isSame('x'.repeat(99)), false, 'a prefix');
    assert.equal(await isSame(), false, 'no bytes');
    assert.equal(await isSame('x'.repeat(100), 'x'), false, 'one byte more');
    assert.equal(await isSame('x'.repeat(99), 'y'), false, 'another last byte');
  });
});
