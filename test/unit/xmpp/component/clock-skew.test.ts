import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import { createClockSkewProbe } from '../../../../src/xmpp/component/clock-skew.ts';

const NOON = Date.UTC(2026, 0, 1, 12);

function watchFor(jid: string) {
  let now = NOON;
  const skews: number[] = [];
  const sent: Element[] = [];
  const watch = createClockSkewProbe(
    jid,
    () => now,
    (ms) => skews.push(ms),
  );
  const ended = Promise.withResolvers<unknown>();
  watch.start({
    send: async (element) => void sent.push(element),
    ended: ended.promise,
  });
  return {
    ...{ watch, skews, sent },
    pass: (ms: number) => {
      now += ms;
    },
    end: () => ended.resolve(undefined),
  };
}

const answer = (utc: string, attrs: Record<string, string> = {}) =>
  xml(
    'iq',
    { type: 'result', from: 'example.org', id: 'clock', ...attrs },
    xml('time', 'urn:xmpp:time', xml('tzo', {}, 'Z'), xml('utc', {}, utc)),
  );

describe('the watch on the XMPP server’s clock', () => {
  test('asks the server above the component, by XEP-0202', () => {
    const { sent, end } = watchFor('upload.example.org');
    end();
    const [question] = sent;
    assert.equal(question?.attrs.to, 'example.org');
    assert.equal(question?.attrs.from, 'upload.example.org');
    assert.ok(question?.getChild('time', 'urn:xmpp:time'));
  });

  test('holds the answer against the middle of its way', () => {
    const { watch, skews, pass, end } = watchFor('upload.example.org');
    pass(2000);
    assert.ok(watch.handle(answer('2026-01-01T12:10:01Z')));
    end();
    assert.deepEqual(skews, [600_000]);
  });

  test('takes an error and nonsense for silence', () => {
    const { watch, skews, end } = watchFor('upload.example.org');
    assert.ok(watch.handle(xml('iq', { type: 'error', from: 'example.org', id: 'clock' })));
    assert.ok(watch.handle(answer('noon')));
    end();
    assert.deepEqual(skews, []);
  });

  test('leaves the stanzas of others alone', () => {
    const { watch, skews, end } = watchFor('upload.example.org');
    for (const stanza of [
      answer('2026-01-01T12:00:00Z', { from: 'romeo@example.org' }),
      answer('2026-01-01T12:00:00Z', { id: 'other' }),
      answer('2026-01-01T12:00:00Z', { type: 'get' }),
      xml('message', { from: 'example.org', id: 'clock', type: 'result' }),
    ]) {
      assert.ok(!watch.handle(stanza));
    }
    end();
    assert.deepEqual(skews, []);
  });

  test('asks nobody where no server lies above the name', () => {
    const { sent, end } = watchFor('upload');
    end();
    assert.deepEqual(sent, []);
  });
});
