import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configProblemText, parseTestConfig } from './parse-test-config.ts';

const HASH = 'a'.repeat(64);
const base = (messages: string) => `public_url: https://u.lit
component: {jid: upload.lit, secret: 0123456789abcdef}
messages: ${messages}
`;
const token = (text: string, from = 'a@upload.lit') => `{token: '${text}', from: ${from}}`;

describe('messages in the config', () => {
  test('need no tokens, because accounts are enough', () => {
    const { messages } = parseTestConfig(base('{}'));
    assert.deepEqual(messages?.tokens, []);
    assert.equal(messages?.keep_trying, 86_400_000);
  });

  test('accept only unique tokens of own components, with complete hashes', () => {
    const good = `{tokens: [${token('0123456789abcdef')}, ${token(`sha256:${HASH}`)}]}`;
    assert.equal(parseTestConfig(base(good)).messages?.tokens.length, 2);
    const wrong: [string, RegExp][] = [
      [
        `{tokens: [${token('0123456789abcdef', 'a@other.lit')}]}`,
        /tokens\[0\]\.from: must be at a component/,
      ],
      [
        `{tokens: [${token('0123456789abcdef')}, ${token('0123456789abcdef')}]}`,
        /tokens\[1\]\.token: another entry/,
      ],
      [`{tokens: [${token('sha256:abc')}]}`, /tokens\[0\]\.token: expected 64 hex digits after sha256:/],
    ];
    for (const [text, complaint] of wrong) assert.match(configProblemText(base(text)), complaint);
  });

  test('may do without TLS only on this machine', () => {
    for (const server of ['127.0.0.1:5222', 'localhost:5222', '"[::1]:5222"'])
      assert.equal(
        parseTestConfig(base(`{require_tls: false, server: ${server}}`)).messages?.require_tls,
        false,
      );
    for (const server of ['', ', server: xmpp.example.org:5222'])
      assert.match(
        configProblemText(base(`{require_tls: false${server}}`)),
        /messages\.require_tls: can be false only/,
      );
  });

  test('accept a callback URL with known placeholders, and never show it', () => {
    const good = 'https://u:pw@app.lit/{kind}/{type}?to={to}&from={from}';
    assert.equal(parseTestConfig(base(`{callback_url: "${good}"}`)).messages?.callback_url, good);
    const complaint = configProblemText(base('{callback_url: "https://u:pw@app.lit/{knd}"}'));
    assert.match(complaint, /callback_url: only kind, type, to, from may be in braces/);
    assert.doesNotMatch(complaint, /pw|app/);
  });

  test('report the client port for an invalid server address', () => {
    assert.match(
      configProblemText(base('{server: xmpp.example.org}')),
      /server: expected host:port, such as .*:5222/,
    );
  });

  test('never show a token in a problem', () => {
    const text = configProblemText(
      base(`{tokens: [${token('sha256:very-secret')}, ${token('sha256:very-secret')}]}`),
    );
    assert.doesNotMatch(text, /very-secret/);
  });
});
