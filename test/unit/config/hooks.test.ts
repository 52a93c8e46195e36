import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hookPrograms } from '../../../src/messages/hooks/formats/registry.ts';
import { configProblemText, listConfigProblems, parseTestConfig } from './parse-test-config.ts';

const HEAD = `public_url: https://upload.example.org
component: {jid: upload.example.org, secret: a-secret-that-is-long}
`;
const hook = (more: string) => `${HEAD}messages:
  hooks:
    - {name: alerts, token: 0123456789abcdef, from: alerts@upload.example.org, to: ops@example.org, ${more}}`;

describe('a hook in the config', () => {
  test('needs a name, a token, a sender and a recipient', () => {
    const [one] = parseTestConfig(hook('')).messages?.hooks ?? [];
    assert.deepEqual(one?.to, ['ops@example.org']);
    assert.equal(one?.type, 'chat');
    assert.equal(one?.format, 'auto');
    assert.deepEqual(one?.override, { to: [], username: true });
    const missing = listConfigProblems(`${HEAD}messages: {hooks: [{}]}`).join('\n');
    for (const key of ['name', 'token', 'from', 'to'])
      assert.match(missing, new RegExp(`hooks\\[0\\]\\.${key}: is missing`));
  });

  test('sends only from a component of this Porter', () => {
    const text = hook('').replace('from: alerts@upload', 'from: alerts@elsewhere');
    assert.match(
      configProblemText(text),
      /hooks\[0\]\.from: must be at a component of this Porter: elsewhere\.example\.org/,
    );
    const token = `${HEAD}messages: {tokens: [{token: 0123456789abcdef, from: a@b.example.org}]}`;
    assert.match(configProblemText(token), /tokens\[0\]\.from: must be at a component of this Porter/);
  });

  test('has a unique name and token', () => {
    const twice = `${hook('')}\n${hook('').split('\n').at(-1)}`;
    assert.deepEqual(
      listConfigProblems(twice).map((line) => line.replace(/^[^ ]+ /, '')),
      [
        'messages.hooks[1].name: another hook has the name alerts too',
        'messages.hooks[1].token: another hook has this token too',
      ],
    );
  });

  test('with an invalid template is reported at the start', () => {
    assert.match(
      configProblemText(hook('template: "{{#alerts}}{{status}}"')),
      /not a Mustache template: Unclosed section "alerts"/,
    );
    assert.match(configProblemText(hook('template: ""')), /expected a Mustache template/);
    assert.equal(parseTestConfig(hook('template: "{{status}}"')).messages?.hooks[0]?.template, '{{status}}');
  });

  test('accepts image hosts with ports and wildcards', () => {
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

  test('may set nick and room password only for rooms', () => {
    assert.match(configProblemText(hook('nick: Bot')), /hooks\[0\]\.nick: only rooms/);
    assert.match(configProblemText(hook('room_password: x')), /hooks\[0\]\.room_password: only rooms/);
    assert.equal(parseTestConfig(hook('type: groupchat, nick: Bot')).messages?.hooks[0]?.nick, 'Bot');
  });

  test('with a short secret causes a warning that names the hook and not the secret', () => {
    const { warnings } = parseTestConfig(
      hook('signature_secret: shorty').replace('0123456789abcdef', 'tiny'),
    );
    const hookWarnings = warnings.filter((line) => line.includes('hook'));
    assert.equal(hookWarnings.length, 2);
    assert.doesNotMatch(hookWarnings.join(), /tiny|shorty/);
  });

  test('may have the format of every program', () => {
    for (const format of ['auto', ...Object.keys(hookPrograms)]) {
      const { messages } = parseTestConfig(hook(`format: ${format}`));
      assert.equal(messages?.hooks[0]?.format, format);
    }
    assert.match(configProblemText(hook('format: gitlap')), /hooks\[0\]\.format: .*gitlab/);
  });

  test('with options that do not fit its format causes a warning', () => {
    const warnings = (more: string) =>
      parseTestConfig(hook(more))
        .warnings.filter((line) => line.includes('hooks'))
        .join();
    const secret = 'signature_secret: a-secret-that-is-long';
    assert.match(warnings(`format: ntfy, ${secret}`), /hooks\[0\]\.signature_secret: .*ntfy do not sign/);
    for (const format of ['gitlab', 'sentry', 'auto', 'generic'])
      assert.equal(warnings(`format: ${format}, ${secret}`), '');
    assert.match(warnings('format: gitlab, fields: {text: a.b}'), /fields has no effect with format gitlab/);
    assert.equal(warnings('format: generic, fields: {text: a.b}'), '');
  });
});
