import assert from 'node:assert/strict';
import { test } from 'node:test';
import xml from '@xmpp/xml';
import {
  ROOM_ERROR_TEXTS,
  refusalFromErrorStanza,
} from '../../../../src/messages/delivery/bounce-refusal.ts';
import { STANZA_ERRORS } from '../../../../src/stanza/namespaces.ts';

const bounce = (condition: string, sender = 'alerts@upload.example.org') =>
  xml(
    'message',
    { type: 'error', to: sender },
    xml('error', { type: 'modify' }, xml(condition, { xmlns: STANZA_ERRORS })),
  );

test('a bounce that rooms send to messages of another type asks whether it is a room', () => {
  for (const condition of ['bad-request', 'not-acceptable']) {
    const refusal = refusalFromErrorStanza(bounce(condition), 'team@rooms.example.org');
    assert.match(refusal.message, /Is this a room\? Then add type: groupchat\.$/, condition);
  }
});

test('so does that of a room of Prosody, which is the same as for an unknown user', () => {
  for (const [room, sender] of [
    ['ops@conference.elsewhere.example', 'alerts@upload.example.org'],
    ['ops@talk.example.org', 'alerts@upload.example.org'],
    ['ops@talk.example.org', 'romeo@example.org/x'],
  ] as const) {
    const { message } = refusalFromErrorStanza(bounce('service-unavailable', sender), room);
    assert.match(message, /Is this a room\? Then add type: groupchat\.$/, room);
  }
});

test('other bounces, and those of messages to rooms, do not', () => {
  for (const refusal of [
    refusalFromErrorStanza(bounce('service-unavailable'), 'romeo@example.org'),
    refusalFromErrorStanza(bounce('service-unavailable'), 'romeo@elsewhere.example'),
    refusalFromErrorStanza(bounce('service-unavailable', 'juliet@a.example.org'), 'romeo@a.example.org'),
    refusalFromErrorStanza(bounce('service-unavailable', 'juliet@verona.example'), 'romeo@mantua.example'),
    refusalFromErrorStanza(bounce('not-acceptable'), 'team@rooms.example.org', ROOM_ERROR_TEXTS),
    refusalFromErrorStanza(bounce('bad-request'), 'example.org'),
  ])
    assert.doesNotMatch(refusal.message, /room\?/);
});
