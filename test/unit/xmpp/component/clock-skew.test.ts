import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import { createClockSkewProbe } from '../../../../src/xmpp/component/clock-skew.ts';

const NOON = Date.UTC(2026, 0, 1, 12);

function startProbe(jid: string) {
  let now = NOON;
  const skews: number[] = [];
  let unsupported = 0;
  const sent: Element[] = [];
  const probe = createClockSkewProbe(
    jid,
    () => now,
    (ms) => skews.push(ms),
    () => {
      unsupported += 1;
    },
  );
  const ended = Promise.withResolvers<unknown>();
  probe.start({
    send: async (element) => void sent.push(element),
    ended: ended.promise,
  });
  return {
    ...{ probe, skews, sent },
    advance: (ms: number) => {
      now += ms;
    },
    end: () => ended.resolve(undefined),
    unsupported: () => unsupported,
  };
}

const answer = (utc: string, attrs: Record<string, string> = {}) =>
  xml(
    'iq',
    { type: 'result', from: 'example.org', id: 'clock', ...attrs },
    xml('time', 'urn:xmpp:time', xml('tzo', {}, 'Z'), xml('utc', {}, utc)),
  );

describe('the clock skew probe', () => {
  test('sends a XEP-0202 query to the parent domain of the component', () => {
    const { sent, end } = startProbe('upload.example.org');
    end();
    const [query] = sent;
    assert.equal(query?.attrs.to, 'example.org');
    assert.equal(query?.attrs.from, 'upload.example.org');
    assert.ok(query?.getChild('time', 'urn:xmpp:time'));
  });

  test('compares the answer with the local time halfway between query and answer', () => {
    const { probe, skews, advance, end } = startProbe('upload.example.org');
    advance(2000);
    assert.ok(probe.handle(answer('2026-01-01T12:10:01Z')));
    end();
    assert.deepEqual(skews, [600_000]);
  });

  test('takes errors and malformed times as answers of a server that cannot tell its time', () => {
    const { probe, skews, end, unsupported } = startProbe('upload.example.org');
    assert.ok(probe.handle(xml('iq', { type: 'error', from: 'example.org', id: 'clock' })));
    assert.ok(probe.handle(answer('noon')));
    end();
    assert.equal(unsupported(), 2);
    assert.deepEqual(skews, []);
  });

  test('does not take other stanzas', () => {
    const { probe, skews, end } = startProbe('upload.example.org');
    for (const stanza of [
      answer('2026-01-01T12:00:00Z', { from: 'romeo@example.org' }),
      answer('2026-01-01T12:00:00Z', { id: 'other' }),
      answer('2026-01-01T12:00:00Z', { type: 'get' }),
      xml('message', { from: 'example.org', id: 'clock', type: 'result' }),
    ]) {
      assert.ok(!probe.handle(stanza));
    }
    end();
    assert.deepEqual(skews, []);
  });

  test('sends no query for a component without a parent domain', () => {
    const { sent, end } = startProbe('upload');
    end();
    assert.deepEqual(sent, []);
  });
});
