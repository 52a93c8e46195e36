import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../../../../../src/base/errors.ts';
import { type HookFormatName, hookFormats } from '../../../../../src/messages/hooks/formats/registry.ts';
import { detectSampleFormat, NO_FIELDS, renderSample, sample } from '../format-sample.ts';

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
    const programs: Record<string, HookFormatName> = {
      'alertmanager-many': 'alertmanager',
      'grafana-one': 'grafana',
      'grafana-legacy': 'grafana',
      'uptime-kuma-down': 'uptime-kuma',
      'uptime-kuma-test': 'uptime-kuma',
      'gitea-push': 'github',
      'slack-attachment': 'slack',
      'slack-blocks': 'slack',
      matterbridge: 'slack',
    };
    for (const [name, format] of Object.entries(programs))
      assert.equal(detectSampleFormat(sample(name)), format, name);
    assert.equal(detectSampleFormat({ sender: { login: 'x' } }, 'star'), 'github');
    assert.equal(detectSampleFormat({ text: 'pushed', username: 'Gitea', attachments: [] }, 'push'), 'slack');
    for (const other of [{ text: 'x' }, 'x', null, [], 5]) assert.equal(detectSampleFormat(other), 'generic');
  });

  test('may send any JSON: it is formatted or refused, within bounds and without an internal error', () => {
    const keys = [
      'alerts',
      'labels',
      'annotations',
      'commonLabels',
      'status',
      'version',
      'text',
      'blocks',
      'type',
    ];
    const more = [
      'elements',
      'attachments',
      'fields',
      'commits',
      'ref',
      'issue',
      'comment',
      'review',
      'heartbeat',
    ];
    const key = fc.oneof(fc.constantFrom(...keys, ...more), fc.string());
    const leaf = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('4', 'rich_text', 'section', 'resolved', 'rich_text_list'),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(key, tie('value'), { maxKeys: 8 }),
      ),
    }));
    const property = fc.property(value, fc.constantFrom(...Object.values(hookFormats)), (payload, format) => {
      try {
        const notice = format({ payload }, { resolved: 'show', fields: NO_FIELDS });
        assert.equal(typeof (notice?.text ?? ''), 'string');
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
