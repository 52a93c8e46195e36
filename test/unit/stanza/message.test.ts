import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { buildMessage, parseXhtmlIm } from '../../../src/stanza/message.ts';

const TO = 'juliet@capulet.lit';

describe('A message', () => {
  test('becomes a stanza with all its parts', () => {
    const letter = { type: 'chat', body: 'A < B', subject: 'Sums', thread: 't1', lang: 'en' } as const;
    assert.equal(
      buildMessage(letter, TO, 'm1').toString(),
      `<message type="chat" to="${TO}" id="m1" xml:lang="en"><subject>Sums</subject><body>A &lt; B</body><thread>t1</thread></message>`,
    );
  });

  test('with a file has the link as its body, for old and new clients', () => {
    const file = {
      id: 'f1',
      url: 'https://u.lit/files/1/a.png',
      name: 'a.png',
      type: 'image/png',
      size: 3,
      sha256: 'AAA=',
      picture: { width: 320, height: 200 },
    };
    const message = buildMessage({ type: 'chat', body: 'ignored', file }, TO, 'm2');
    assert.equal(message.getChild('body')?.getText(), file.url);
    assert.equal(message.getChild('x', 'jabber:x:oob')?.getChild('url')?.getText(), file.url);
    assert.equal(
      message.getChild('file-sharing', 'urn:xmpp:sfs:0')?.toString(),
      `<file-sharing xmlns="urn:xmpp:sfs:0" disposition="inline" id="f1"><file xmlns="urn:xmpp:file:metadata:0"><media-type>image/png</media-type><name>a.png</name><size>3</size><width>320</width><height>200</height><hash xmlns="urn:xmpp:hashes:2" algo="sha-256">AAA=</hash></file><sources><url-data xmlns="http://jabber.org/protocol/url-data" target="${file.url}"/></sources></file-sharing>`,
    );
    assert.equal(message.getChild('fallback', 'urn:xmpp:fallback:0')?.attrs.for, 'urn:xmpp:sfs:0');
    const thumbnail = { url: `${file.url}?thumb=320`, type: 'image/webp', width: 32, height: 20 };
    const shown = buildMessage({ type: 'chat', file: { ...file, thumbnail } }, TO, 'm3').toString();
    assert.ok(
      shown.includes(
        `<height>200</height><thumbnail xmlns="urn:xmpp:thumbs:1" uri="${thumbnail.url}" media-type="image/webp" width="32" height="20"/>`,
      ),
      shown,
    );
    const plain = { ...file, type: 'text/plain', picture: undefined };
    const other = buildMessage({ type: 'chat', file: plain }, TO, 'm3').toString();
    assert.match(other, /disposition="attachment"/);
    assert.doesNotMatch(other, /<width>|<height>/);
  });

  test('contains its HTML, except in rooms', () => {
    const html = parseXhtmlIm('<p>A <em>B</em></p>');
    const chat = buildMessage({ type: 'chat', body: 'A B', html }, TO, 'm3').toString();
    assert.match(
      chat,
      /<html xmlns="http:\/\/jabber.org\/protocol\/xhtml-im"><body xmlns="http:\/\/www.w3.org\/1999\/xhtml"><p>A <em>B<\/em><\/p><\/body><\/html>/,
    );
    assert.doesNotMatch(buildMessage({ type: 'groupchat', body: 'A B', html }, TO, 'm4').toString(), /html/);
  });
});

describe('HTML', () => {
  test('cannot break out of its message', () => {
    for (const bad of [
      '<br>',
      '</body>',
      '</body></html></message><message/>',
      '</body><body>',
      '<b',
      '&nope;',
    ])
      assert.throws(
        () => parseXhtmlIm(bad),
        (error) => error instanceof Refusal && error.code === 'bad_request',
        bad,
      );
  });
});
