import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { configProblemText, listConfigProblems, parseTestConfig } from './parse-test-config.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'porter-secrets-'));
  await writeFile(join(folder, 'one'), 'the-first-secret-of-all\n');
  await writeFile(join(folder, 'two'), 'the-second-secret-of-all');
  await writeFile(join(folder, 'empty'), '\n');
  await writeFile(join(folder, 'long'), 'two\nlines\n');
});
after(() => rm(folder, { recursive: true }));

describe('a secret in a file', () => {
  test('is read from beside the config, or from anywhere', () => {
    assert.equal(
      parseTestConfig('slot_api: {token_file: one}', { folder }).slot_api?.token,
      'the-first-secret-of-all',
    );
    const absolute = `slot_api: {token_file: ${join(folder, 'two')}}`;
    assert.equal(parseTestConfig(absolute).slot_api?.token, 'the-second-secret-of-all');
  });

  test('may be named by the environment, as systemd hands credentials over', () => {
    const text = `external: {secret_file: '$\{CREDENTIALS}/one'}`;
    assert.deepEqual(parseTestConfig(text, { env: { CREDENTIALS: folder } }).external?.secret, [
      'the-first-secret-of-all',
    ]);
  });

  test('is found inside of lists too, and lists of files make lists of secrets', () => {
    const text = `
public_url: https://upload.example.org
component: [{jid: a.example.org, secret_file: one}, {jid: b.example.org, secret: said-right-here-00}]
external: {secret_file: [one, two], delete_secret_file: two}
messages: {tokens: [{token_file: two, from: bot@a.example.org}]}`;
    const config = parseTestConfig(text, { folder });
    assert.deepEqual(
      config.component.map((one) => one.secret),
      ['the-first-secret-of-all', 'said-right-here-00'],
    );
    assert.deepEqual(config.external?.secret, ['the-first-secret-of-all', 'the-second-secret-of-all']);
    assert.equal(config.external?.delete_secret, 'the-second-secret-of-all');
    assert.equal(config.messages?.tokens[0]?.token, 'the-second-secret-of-all');
  });

  test('is not expanded: it may hold a dollar sign and a brace', async () => {
    await writeFile(join(folder, 'dollar'), `a-$\{HOME}-b`);
    assert.equal(
      parseTestConfig('slot_api: {token_file: dollar}', { folder }).slot_api?.token,
      `a-$\{HOME}-b`,
    );
  });

  test('cannot be given a second time as it is', () => {
    assert.match(
      configProblemText('external:\n  secret: a\n  secret_file: one', { folder }),
      /:3: external\.secret_file: secret is given too; remove one of them$/,
    );
  });

  test('that cannot be read is reported once, with its line', () => {
    assert.deepEqual(listConfigProblems('\nslot_api:\n  token_file: nope', { folder }), [
      'porter.yml:3: slot_api.token_file: cannot read nope: the file does not exist',
    ]);
    assert.match(configProblemText('slot_api: {token_file: empty}', { folder }), /empty is empty$/);
    assert.match(
      configProblemText('slot_api: {token_file: long}', { folder }),
      /a secret must be a single line$/,
    );
    assert.match(configProblemText('slot_api: {token_file: .}', { folder }), /it is a folder$/);
    assert.match(configProblemText('slot_api: {token_file: 5}', { folder }), /expected the path of a file$/);
  });

  test('is only for secrets', () => {
    assert.match(configProblemText('public_url_file: one', { folder }), /public_url_file: unknown key/);
  });
});

describe('a problem of a config', () => {
  const anySecret = fc.stringMatching(/^[a-z0-9]{12,40}$/).map((text) => `s3cr3t${text}`);

  test('is reported without any secret in it', () => {
    fc.assert(
      fc.property(anySecret, (secret) => {
        const problems = listConfigProblems(`
component: {jid: 5, secret: [${secret}]}
slot_api: {token: {a: ${secret}}, tokn: ${secret}}
external: {secret: ["${secret}\\n${secret}"], delete_secret: "${secret}\\r"}
messages: {tokens: [{token: [${secret}], from: 5}], callback_url: "x://${secret}"}
storage: {ledger: "mysql://porter:${secret}@db", blobs: "s3://key:${secret}@bucket"}
secrets: ${secret}
`).join('\n');
        assert.ok(problems.length > 0);
        assert.ok(!problems.includes(secret), problems);
      }),
      { numRuns: 20 },
    );
  });
});
