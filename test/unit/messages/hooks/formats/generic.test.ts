import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../../src/base/errors.ts';
import { detectSampleFormat, NO_FIELDS, renderSample } from '../sample-kit.ts';

const text = (payload: unknown, fields = {}) =>
  renderSample('generic', payload, { fields: { ...NO_FIELDS, ...fields } })?.text;

describe('A payload of any program', () => {
  test('in plain text is sent unchanged', () => {
    assert.equal(text('disk *full*\n'), 'disk *full*');
  });

  test('is read from fields with common names', () => {
    const payload = {
      title: 'Backup',
      message: 'took *long*',
      url: 'https://b.example/1',
      image: 'https://b.example/i',
    };
    const notice = renderSample('generic', payload);
    assert.equal(notice?.text, '*Backup*\ntook *long*\nhttps://b.example/1');
    assert.deepEqual(notice?.images, ['https://b.example/i']);
  });

  test('is read from the configured paths, in both notations', () => {
    const payload = { a: { 'b/c': [{ t: 'first' }] }, text: 'not this', n: 3 };
    assert.equal(text(payload, { text: '/a/b~1c/0/t' }), 'first');
    assert.equal(text(payload, { text: 'n', title: 'a.b/c.0.t' }), '*first*\n3');
    assert.equal(text({ tags: ['x', 'y'] }, { text: 'tags' }), '- x\n- y');
    assert.equal(text({ o: { k: 'v', n: 1 } }, { text: 'o' }), 'k: v\nn: 1');
  });

  test('with other names is listed', () => {
    assert.equal(text({ host: 'web1', state: '*down*', more: { x: 1 } }), 'host: web1\nstate: ·*down*');
    assert.equal(text({ job: 'backup', done: true, code: 0 }), 'job: backup\ndone: true\ncode: 0');
  });

  test('without text is refused with a reason', () => {
    for (const empty of [{}, [], null, { a: {} }, ' ']) {
      assert.throws(
        () => text(empty),
        (error) => error instanceof Refusal && error.code === 'body_missing',
      );
    }
  });

  test('gives access only to its own fields', () => {
    assert.throws(() => text({}, { text: '__proto__' }), Refusal);
    assert.throws(() => text({}, { text: 'constructor.name' }), Refusal);
  });
});

describe('The sending program', () => {
  test('is detected from its payload', () => {
    assert.equal(detectSampleFormat({ sender: { login: 'x' } }, 'star'), 'github');
    assert.equal(detectSampleFormat({ text: 'pushed', username: 'Gitea', attachments: [] }, 'push'), 'slack');
    for (const other of [{ text: 'x' }, 'x', null, [], 5]) assert.equal(detectSampleFormat(other), 'generic');
  });
});
