import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { evaluateConditions, isRangeApplicable } from '../../../../src/http/files/conditional-request.ts';

const modifiedAt = Date.UTC(2026, 4, 6, 7, 8, 9);
const file = { etag: '"abc"', modifiedAt };

describe('conditions of a request', () => {
  test('find the tag anywhere in a list, weak or strong, blanks and commas in other tags included', () => {
    const other = fc.stringMatching(/^(W\/)?"[!#-~]{0,8}"$/).filter((tag) => !tag.includes('"abc"'));
    fc.assert(
      fc.property(fc.array(other), fc.array(other), fc.boolean(), (before, after, weak) => {
        const list = [...before, weak ? 'W/"abc"' : '"abc"', ...after].join(' , ');
        assert.equal(evaluateConditions({ 'if-none-match': list }, file), 304);
        assert.equal(evaluateConditions({ 'if-match': list }, file), weak ? 412 : undefined);
        assert.equal(
          evaluateConditions({ 'if-none-match': [...before, ...after].join(',') }, file),
          undefined,
        );
      }),
    );
  });

  test('read all three forms of an HTTP date', () => {
    for (const date of [
      'Wed, 06 May 2026 07:08:09 GMT',
      'Wednesday, 06-May-26 07:08:09 GMT',
      'Wed May  6 07:08:09 2026',
    ]) {
      assert.equal(evaluateConditions({ 'if-modified-since': date }, file), 304, date);
      assert.equal(evaluateConditions({ 'if-unmodified-since': date }, file), undefined, date);
    }
  });

  test('follow the order of RFC 9110: tags before dates, preconditions before caches', () => {
    const earlier = new Date(modifiedAt - 1000).toUTCString();
    const same = new Date(modifiedAt).toUTCString();
    assert.equal(
      evaluateConditions({ 'if-match': '"abc"', 'if-unmodified-since': earlier }, file),
      undefined,
    );
    assert.equal(evaluateConditions({ 'if-none-match': '"x"', 'if-modified-since': same }, file), undefined);
    assert.equal(evaluateConditions({ 'if-match': '"x"', 'if-none-match': '"abc"' }, file), 412);
  });

  test('that are malformed are ignored', () => {
    for (const date of ['', 'yesterday', '12', '2026-05-06', 'Wed, 99 May 2026 99:08:09 GMT']) {
      assert.equal(evaluateConditions({ 'if-modified-since': date }, file), undefined, date);
      assert.equal(evaluateConditions({ 'if-unmodified-since': date }, file), undefined, date);
      assert.equal(isRangeApplicable({ 'if-range': date }, file), false, date);
    }
  });
});
