import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configProblemText, listConfigProblems, parseTestConfig } from './parse-test-config.ts';

const HEAD = `public_url: https://upload.example.org
component: {jid: upload.example.org, secret: a-secret-that-is-long}
`;
const hook = (more: string) => `${HEAD}messages:
  hooks:
    - {name: alerts, token: 0123456789abcdef, from: alerts@upload.example.org, to: ops@example.org, ${more}}`;

describe('a hook in the config', () => {
  test('needs a name, a token, a sender and somebody to write to', () => {
    const [one] = parseTestConfig(hook('')).messages?.hooks ?? [];
    assert.deepEqual(one?.to, ['ops@example.org']);
    assert.equal(one?.type, 'chat');
    assert.equal(one?.format, 'auto');
    assert.deepEqual(one?.override, { to: [], username: true });
    const missing = listConfigProblems(`${HEAD}messages: {hooks: [{}]}`).join('\n');
    for (const key of ['name', 'token', 'from', 'to'])
      assert.match(missing, new RegExp(`hooks\\[0\\]\\.${key}: is missing`));
  });

  test('speaks from a component of ours and from nowhere else', () => {
    const text = hook('').replace('from: alerts@upload', 'from: alerts@elsewhere');
    assert.match(
      configProblemText(text),
      /hooks\[0\]\.from: must be at a component of ours: elsewhere\.example\.org/,
    );
    const token = `${HEAD}messages: {tokens: [{token: 0123456789abcdef, from: a@b.example.org}]}`;
    assert.match(configProblemText(token), /tokens\[0\]\.from: must be at a component of ours/);
  });

  test('has a name and a token that no other has', () => {
    const twice = `${hook('')}\n${hook('').split('\n').at(-1)}`;
    assert.deepEqual(
      listConfigProblems(twice).map((line) => line.replace(/^[^ ]+ /, '')),
      [
        'messages.hooks[1].name: two hooks cannot both be alerts',
        'messages.hooks[1].token: another hook has this token too',
      ],
    );
  });

  test('has a template that can be read, or the start says what is wrong with it', () => {
    assert.match(
      configProblemText(hook('template: "{{#alerts}}{{status}}"')),
      /no Mustache template: Unclosed section "alerts"/,
    );
    assert.match(configProblemText(hook('template: ""')), /expected a Mustache template/);
    assert.equal(parseTestConfig(hook('template: "{{status}}"')).messages?.hooks[0]?.template, '{{status}}');
  });

  test('names hosts of pictures, with ports and stars where they make sense', () => {
    for (const host of [
      'grafana.example.org',
      'localhost:3000',
      '"[::1]:3000"',
      '10.1.2.3',
      '"*.example.org"',
      '"*"',
    ]) {
      assert.equal(
        parseTestConfig(hook(`images_from: ${host}`)).messages?.hooks[0]?.images_from.length,
        1,
        host,
      );
    }
    for (const host of ['https://grafana', 'a/b', '"a.*"', '"a b"', '":80"', '""']) {
      assert.match(configProblemText(hook(`images_from: ${host}`)), /expected a host such as/, host);
    }
  });

  test('has no use for the name and the password of a room unless it writes to rooms', () => {
    assert.match(configProblemText(hook('nick: Bot')), /hooks\[0\]\.nick: only rooms/);
    assert.match(configProblemText(hook('room_password: x')), /hooks\[0\]\.room_password: only rooms/);
    assert.equal(parseTestConfig(hook('type: groupchat, nick: Bot')).messages?.hooks[0]?.nick, 'Bot');
  });

  test('is warned of where its secrets are short, by its name and never with the secret', () => {
    const { warnings } = parseTestConfig(
      hook('signature_secret: shorty').replace('0123456789abcdef', 'tiny'),
    );
    const told = warnings.filter((line) => line.includes('hook'));
    assert.equal(told.length, 2);
    assert.doesNotMatch(told.join(), /tiny|shorty/);
  });
});
