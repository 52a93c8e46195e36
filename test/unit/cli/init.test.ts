import assert from 'node:assert/strict';
import { chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { createInitPlan, xmppServerKinds } from '../../../src/cli/lib/init-plan.ts';
import { formatPorterConfig } from '../../../src/cli/lib/init-porter-config.ts';
import { formatServerConfig } from '../../../src/cli/lib/init-server-config.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { compileAccessRules } from '../../../src/policy/access.ts';
import { runCommand } from './run-command.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'porter-init-'));
});
after(() => rm(root, { recursive: true }));
const emptyFolder = () => mkdtemp(join(root, 'x-'));

describe('porter init', () => {
  for (const peer of xmppServerKinds) {
    for (const domain of ['example.org', 'localhost', 'münchen.example', 'xn--mnchen-3ya.example']) {
      test(`for ${peer} on ${domain} writes a config that porter check accepts`, async () => {
        const folder = await emptyFolder();
        const made = await runCommand(folder, ['init', '--for', peer, '--domain', domain]);
        assert.equal(made.err, '');
        assert.equal(made.code, 0);
        assert.deepEqual(await runCommand(folder, ['check']), {
          code: 0,
          out: 'porter.yml is valid.\n',
          err: '',
        });
      });
    }
  }

  test('allows uploads for users of the domain only', async () => {
    const folder = await emptyFolder();
    await runCommand(folder, ['init', '--domain', 'example.org']);
    const config = await loadConfig(join(folder, 'porter.yml'), {});
    const access = compileAccessRules(config.access);
    assert.ok(access.decide('romeo@example.org').allowed);
    for (const other of ['romeo@exampleXorg', 'romeo@example.org.evil', 'romeo@sub.example.org']) {
      assert.ok(!access.decide(other).allowed, other);
    }
    assert.equal(config.public_url, 'https://upload.example.org');
  });

  for (const peer of xmppServerKinds)
    test(`for ${peer} with several domains writes a component, a link and a secret for each, and one rule`, async () => {
      const folder = await emptyFolder();
      const domains = ['verona.example', 'mantua.example', 'verona.example'].flatMap((one) => [
        '--domain',
        one,
      ]);
      const { code, out } = await runCommand(folder, ['init', '--for', peer, ...domains]);
      assert.equal(code, 0);
      assert.match((await runCommand(folder, ['check'])).out, /is valid\.$/m);
      const { component, access } = await loadConfig(join(folder, 'porter.yml'), {});
      assert.deepEqual(
        component.map(({ jid, public_url }) => [jid, public_url]),
        [
          ['upload.verona.example', 'https://upload.verona.example'],
          ['upload.mantua.example', 'https://upload.mantua.example'],
        ],
      );
      assert.notEqual(component[0]?.secret, component[1]?.secret);
      for (const { jid, secret } of component) assert.ok(out.includes(jid) && out.includes(secret), jid);
      const { decide } = compileAccessRules(access);
      assert.ok(decide('romeo@verona.example').allowed && decide('romeo@mantua.example').allowed);
      assert.ok(!decide('romeo@paris.example').allowed);
    });

  test('writes a config for this machine if no domain is given', async () => {
    const folder = await emptyFolder();
    await runCommand(folder, ['init', '--for', 'prosody']);
    const config = await loadConfig(join(folder, 'porter.yml'), {});
    assert.equal(config.component[0]?.jid, 'upload.localhost');
    assert.equal(config.public_url, 'http://127.0.0.1:5050');
  });

  test('creates a new secret each time, in a file of mode 600', async () => {
    const [one, other] = [await emptyFolder(), await emptyFolder()];
    const printed = await runCommand(one, ['init', '--for', 'prosody']);
    await runCommand(other, ['init', '--for', 'prosody']);
    const [first, second] = await Promise.all(
      [one, other].map(
        async (folder) => (await loadConfig(join(folder, 'porter.yml'), {})).component[0]?.secret,
      ),
    );
    assert.match(first ?? '', /^[a-z0-9]{26}$/);
    assert.notEqual(first, second);
    assert.ok(printed.out.includes(`component_secret = "${first}"`));
    assert.equal((await stat(join(one, 'porter.yml'))).mode & 0o777, 0o600);
  });

  test('refuses to replace a config without --force, and keeps a backup with it', async () => {
    const folder = await emptyFolder();
    const file = join(folder, 'porter.yml');
    await writeFile(file, 'existing');
    const refused = await runCommand(folder, ['init']);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /porter\.yml exists already\. Use --force to replace it\./);
    assert.equal(await readFile(file, 'utf8'), 'existing');
    const forced = await runCommand(folder, ['init', '--force']);
    assert.equal(forced.code, 0);
    assert.match(forced.out, /The old file is now porter\.yml\.bak/);
    assert.equal(await readFile(`${file}.bak`, 'utf8'), 'existing');
    assert.match(await readFile(file, 'utf8'), /^# Porter's config/);
  });

  test('replaces a config by one that the service can still read: it has the old owner and mode', async () => {
    const folder = await emptyFolder();
    const file = join(folder, 'porter.yml');
    await writeFile(file, 'existing', { mode: 0o640 });
    if (process.getuid?.() === 0) await chown(file, 0, 12_345);
    const before = await stat(file);
    assert.equal((await runCommand(folder, ['init', '--force'])).code, 0);
    const after = await stat(file);
    assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
  });

  test('keeps the data of a config below /etc in /var/lib/porter', () => {
    const plan = createInitPlan('prosody', ['example.org'], { dataFolder: '/var/lib/porter' });
    const { storage } = parse(formatPorterConfig(plan));
    assert.deepEqual(storage, { blobs: '/var/lib/porter/blobs', ledger: '/var/lib/porter/porter.db' });
  });

  test('writes to the file given with -c', async () => {
    const folder = await emptyFolder();
    assert.match((await runCommand(folder, ['init', '-c', 'other.yml'])).out, /^Wrote other\.yml/);
    assert.ok((await stat(join(folder, 'other.yml'))).isFile());
  });

  test('refuses an invalid domain, and writes nothing', async () => {
    const folder = await emptyFolder();
    for (const domain of [
      'user@example.org',
      'example.org/x',
      '-bad',
      'a b',
      'a"b',
      'example.org:5222',
      '',
    ]) {
      const { code, err } = await runCommand(folder, ['init', '--domain', domain]);
      assert.equal(code, 2, domain);
      assert.match(err, /--domain takes a domain such as example\.org/);
    }
    await assert.rejects(stat(join(folder, 'porter.yml')));
  });

  test('refuses the domain of the users as the name of the component', async () => {
    const args = ['init', '--domain', 'example.org', '--component', 'example.org'];
    const { code, err } = await runCommand(await emptyFolder(), args);
    assert.equal(code, 2);
    assert.match(err, /must differ from the domain of the users, for example upload\.example\.org/);
  });

  test('prints the next steps', async () => {
    const { out } = await runCommand(await emptyFolder(), [
      'init',
      '--for',
      'prosody',
      '--domain',
      'example.org',
    ]);
    assert.match(out, /Put this at the end of .*prosody\.cfg\.lua/);
    assert.match(out, /\d\. .*https:\/\/upload\.example\.org.*nginx/);
    assert.match(out, /\d\. porter check, then porter serve/);
  });
});

describe('the config lines for ejabberd', () => {
  const plan = createInitPlan('ejabberd', ['example.org']);
  const lines = parse(formatServerConfig(plan));

  test('accept the component with the secret of porter.yml, from this machine only', () => {
    assert.deepEqual(lines.listen, [
      {
        port: 5347,
        ip: '127.0.0.1',
        module: 'ejabberd_service',
        access: 'all',
        global_routes: false,
        hosts: { 'upload.example.org': { password: plan.first.secret } },
      },
    ]);
  });

  test('make the component visible to clients', () => {
    assert.deepEqual(lines.modules, { mod_disco: { extra_domains: ['upload.example.org'] } });
  });
});

test('the commented messages of a new config are valid once the comments are removed', async () => {
  const folder = await emptyFolder();
  await runCommand(folder, ['init', '--domain', 'example.org']);
  const file = join(folder, 'porter.yml');
  const text = await readFile(file, 'utf8');
  const start = text.indexOf('# messages:');
  assert.ok(start > 0);
  const end = text.indexOf('\n\n', start);
  const block = text.slice(start, end).replaceAll(/^# /gm, '');
  await writeFile(file, text.slice(0, start) + block + text.slice(end));
  const { code, err } = await runCommand(folder, ['check']);
  assert.equal(code, 0, err);
});
