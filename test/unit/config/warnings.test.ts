import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RE2JS } from 're2js';
import { parseTestConfig } from './parse-test-config.ts';

/** Returns the warnings about the first access rule. */
function warningsOf(rule: string): string {
  return parseTestConfig(`access: [{${rule}}]`).warnings.join('\n');
}

describe('warnings about a valid config', () => {
  test('name patterns that also match accounts of longer domains, and give one that does not', () => {
    for (const pattern of ['example.org', '@example.org', '@example\\.org', '^romeo@example\\.org']) {
      const text = warningsOf(`jid: '${pattern}'`);
      assert.match(
        text,
        /does not end with \$, so it also matches accounts at example\.org\.evil\.example/,
        pattern,
      );
      const better = RE2JS.compile(/Write '([^']+)'/.exec(text)?.[1] ?? '');
      assert.ok(better.matcher('romeo@example.org').find(), pattern);
      assert.ok(!better.matcher('romeo@example.org.evil.example').find(), pattern);
    }
  });

  test('leave anchored patterns and those for everybody alone', () => {
    for (const pattern of ['@example\\.org$', '^romeo@', '.*', '', '@(a|b)\\.example$', '^admin@[^@]*$']) {
      if (pattern !== '') assert.doesNotMatch(warningsOf(`jid: '${pattern}'`), /does not end with/, pattern);
    }
  });

  test('name unanchored patterns of accounts and tokens too', () => {
    const { warnings } = parseTestConfig(`public_url: https://example.org
component: {jid: upload.example.org, server: 'localhost:5347', secret: a-secret-of-16-letters}
access: [{jid: '@example\\.org$'}]
messages:
  accounts: example.org
  tokens: [{token: a-token-of-16-letters, from: bot@upload.example.org, to: example.org}]
`);
    assert.match(warnings.join('\n'), /messages\.accounts: the pattern example\.org does not end/);
    assert.match(warnings.join('\n'), /messages\.tokens\[0\]\.to: the pattern example\.org does not end/);
  });

  test('name the port of PgBouncer in the URL of the ledger', () => {
    const warningsAt = (port: number) =>
      parseTestConfig(`storage: {ledger: 'postgres://porter@localhost:${port}/porter'}`).warnings.join('\n');
    assert.match(warningsAt(6432), /storage\.ledger: port 6432 is that of PgBouncer/);
    assert.doesNotMatch(warningsAt(5432), /PgBouncer/);
  });

  test('name a clamd on another machine, and more scans than clamd has threads', () => {
    const warningsWith = (scan: string, more = '') =>
      parseTestConfig(`uploads: {scan: {${scan}}}\n${more}`).warnings.join('\n');
    assert.match(
      warningsWith('clamd: tcp://192.0.2.1:3310'),
      /uploads\.scan\.clamd: files are sent to another machine/,
    );
    assert.doesNotMatch(warningsWith('clamd: tcp://127.0.0.1:3310'), /uploads\.scan/);
    assert.doesNotMatch(warningsWith('clamd: unix:/run/clamav/clamd.ctl'), /uploads\.scan/);
    const many = warningsWith('clamd: unix:/clamd.ctl, connections: 4', 'workers: 3');
    assert.match(many, /12 scans at a time.*MaxThreads 12/);
  });

  test('name a file limit that the total limit makes useless', () => {
    assert.match(
      warningsOf("jid: '@example\\.org$', max_file_size: 10G, max_total_size: 1G"),
      /access\[0\]: max_file_size \(10 GiB\) is above max_total_size \(1 GiB\), so no file above 1 GiB is accepted/,
    );
    assert.equal(warningsOf("jid: '@example\\.org$', max_file_size: 1G, max_total_size: 1G"), '');
  });

  test('name a hook with images whose sender may not upload, and a rule that lets it', () => {
    const withRule = (rule: string) =>
      parseTestConfig(`public_url: https://upload.example.org
component: {jid: upload.example.org, server: 'localhost:5347', secret: a-secret-of-16-letters}
access: [{jid: '@example\\.org$'}${rule}]
messages:
  hooks:
    - {name: grafana, token: a-token-of-16-letters, from: bot@upload.example.org, to: romeo@example.org, images_from: grafana.example.org}
`).warnings.join('\n');
    const text = withRule('');
    assert.match(text, /messages\.hooks\[0\]: bot@upload\.example\.org may not upload/);
    const rule = /such as (\{.*\})\.$/m.exec(text)?.[1] ?? '';
    assert.doesNotMatch(withRule(`, ${rule}`), /may not upload/);
  });

  test('name a token whose sender may not upload, unless a rule allows or denies it', () => {
    const withRule = (rule: string) =>
      parseTestConfig(`public_url: https://upload.example.org
component: {jid: upload.example.org, server: 'localhost:5347', secret: a-secret-of-16-letters}
access: [{jid: '@example\\.org$'}${rule}]
messages:
  tokens: [{token: a-token-of-16-letters, from: bot@upload.example.org, to: '@example\\.org$'}]
`).warnings.join('\n');
    const text = withRule('');
    assert.match(
      text,
      /messages\.tokens\[0\]: bot@upload\.example\.org may not upload, so every file that is sent/,
    );
    const [, rule = ''] = /such as \{(.*?)\}, or/.exec(text) ?? [];
    assert.equal(withRule(`, {${rule}}`), '');
    assert.equal(withRule(`, {${rule}, deny: true}`), '');
  });

  test('name far more workers than the machine has cores', () => {
    const { warnings } = parseTestConfig("workers: 1000\naccess: [{jid: '@example\\.org$'}]");
    assert.match(warnings.join('\n'), /workers: 1000 processes on a machine with \d+ CPU cores?/);
  });
});

test('every address of the machine can be written with a star', () => {
  assert.deepEqual(parseTestConfig("listen: '*:5050'").listen, [{ port: 5050 }]);
});
