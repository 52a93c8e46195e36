import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { createInitPlan, xmppServerKinds } from '../../../src/cli/lib/init-plan.ts';
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
      test(`for ${peer} on ${domain} writes a config that porter check is happy with`, async () => {
        const folder = await emptyFolder();
        const made = await runCommand(folder, ['init', '--for', peer, '--domain', domain]);
        assert.equal(made.err, '');
        assert.equal(made.code, 0);
        assert.deepEqual(await runCommand(folder, ['check']), {
          code: 0,
          out: 'porter.yml is fine.\n',
          err: '',
        });
      });
    }
  }

  test('lets the users of the domain upload, and nobody else', async () => {
    const folder = await emptyFolder();
    await runCommand(folder, ['init', '--domain', 'example.org']);
    const config = await loadConfig(join(folder, 'porter.yml'), {});
    const access = compileAccessRules(config.access);
    assert.ok(access.decide('romeo@example.org').allowed);
    for (const stranger of ['romeo@exampleXorg', 'romeo@example.org.evil', 'romeo@sub.example.org']) {
      assert.ok(!access.decide(stranger).allowed, stranger);
    }
    assert.equal(config.public_url, 'https://upload.example.org');
  });

  test('works on this machine alone where no domain is given', async () => {
    const folder = await emptyFolder();
    await runCommand(folder, ['init', '--for', 'prosody']);
    const config = await loadConfig(join(folder, 'porter.yml'), {});
    assert.equal(config.component[0]?.jid, 'upload.localhost');
    assert.equal(config.public_url, 'http://127.0.0.1:5050');
  });

  test('keeps its secret between the two servers: a fresh one each time, in a file of mode 600', async () => {
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

  test('never writes over a config, unless it is told to, and then keeps the old one', async () => {
    const folder = await emptyFolder();
    const file = join(folder, 'porter.yml');
    await writeFile(file, 'mine');
    const refused = await runCommand(folder, ['init']);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /porter\.yml is there already; --force replaces it/);
    assert.equal(await readFile(file, 'utf8'), 'mine');
    const forced = await runCommand(folder, ['init', '--force']);
    assert.equal(forced.code, 0);
    assert.match(forced.out, /The old one is porter\.yml\.bak/);
    assert.equal(await readFile(`${file}.bak`, 'utf8'), 'mine');
    assert.match(await readFile(file, 'utf8'), /^# Porter's config/);
  });

  test('writes where -c says', async () => {
    const folder = await emptyFolder();
    assert.match((await runCommand(folder, ['init', '-c', 'other.yml'])).out, /^Wrote other\.yml/);
    assert.ok((await stat(join(folder, 'other.yml'))).isFile());
  });

  test('refuses a domain that is none, and writes nothing', async () => {
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

  test('says what to do next', async () => {
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

describe('the lines for ejabberd', () => {
  const plan = createInitPlan('ejabberd', 'example.org');
  const lines = parse(formatServerConfig(plan));

  test('let the component in with the secret of porter.yml, from this machine only', () => {
    assert.deepEqual(lines.listen, [
      {
        port: 5347,
        ip: '127.0.0.1',
        module: 'ejabberd_service',
        access: 'all',
        hosts: { 'upload.example.org': { password: plan.secret } },
      },
    ]);
  });

  test('let clients find it', () => {
    assert.deepEqual(lines.modules, { mod_disco: { extra_domains: ['upload.example.org'] } });
  });
});
