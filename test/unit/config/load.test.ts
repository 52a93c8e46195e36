// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the config has this syntax
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ConfigError } from '../../../src/config/config-error.ts';
import { EXAMPLE_CONFIG } from '../../../src/config/example-config.ts';
import { defaultConfig, loadConfig } from '../../../src/config/load.ts';
import { parseTestConfig } from './parse-test-config.ts';

const MIB = 2 ** 20;
const DAY = 86_400_000;

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'porter-config-'));
});
after(() => rm(folder, { recursive: true }));

describe('a config file', () => {
  test('that is empty gets all defaults, with all endpoints off', () => {
    const config = parseTestConfig('');
    assert.deepEqual(config.listen, [{ host: '127.0.0.1', port: 5050 }]);
    assert.deepEqual(config.trusted_proxies, ['127.0.0.0/8', '::1']);
    assert.deepEqual(config.component, []);
    assert.deepEqual(config.access, []);
    for (const key of [
      'slot_api',
      'external',
      'file_share',
      'messages',
      'web',
      'tls',
      'public_url',
    ] as const) {
      assert.equal(config[key], null, key);
    }
    assert.equal(config.global_quota, null);
    assert.equal(config.slots.timeout, 360_000);
    assert.deepEqual(config.uploads, {
      type_mismatch: 'refuse',
      resumable: true,
      interim_responses: 'auto',
      types: {},
      idle_timeout: 60_000,
      total_timeout: 86_400_000,
      scan: null,
      hash: false,
    });
    assert.equal(config.retention.max_age, 30 * DAY);
    assert.equal(config.retention.sweep_every, 3_600_000);
    assert.equal(config.retention.keep_records, 365 * DAY);
    assert.deepEqual(config.retention.purposes, {}, 'no purposes are offered unless they are listed');
    assert.deepEqual(config.metrics, { path: '/metrics', allow_from: ['127.0.0.0/8', '::1'] });
    assert.equal(config.storage.sync, true);
  });

  test('is parsed to bytes and milliseconds', () => {
    const config = parseTestConfig(`
public_url: https://upload.example.org/files/
component: {jid: Upload.Example.org, secret: 0123456789abcdef}
access:
  - jid: '@example\\.org$'
    max_file_size: 10 MB
    bytes_per: {period: 1h, bytes: 1 GiB}
    uploads_per: {period: 15m, uploads: 3}
    allowed_types: [IMAGE/*]
    when_full: evict
retention: {max_age: never, soft_quota: 5 MiB, sweep_every: 0, purposes: {profile: {max_age: never}, ephemeral: {}}}
`);
    assert.equal(
      config.public_url,
      'https://upload.example.org/files',
      'no slash at the end: paths bring their own',
    );
    assert.deepEqual(config.component, [
      {
        jid: 'upload.example.org',
        secret: '0123456789abcdef',
        server: { host: '127.0.0.1', port: 5347 },
        name: 'HTTP File Upload',
        public_url: null,
        download_url: null,
        domains: null,
      },
    ]);
    assert.deepEqual(config.access, [
      {
        jid: ['@example\\.org$'],
        deny: false,
        max_file_size: 10_000_000,
        max_total_size: null,
        max_files: null,
        bytes_per: { period: 3_600_000, bytes: 1024 * MIB },
        uploads_per: { period: 900_000, uploads: 3 },
        allowed_types: ['image/*'],
        when_full: 'evict',
      },
    ]);
    assert.equal(config.retention.max_age, null);
    assert.equal(config.retention.sweep_every, null);
    assert.equal(config.retention.soft_quota, 5 * MIB);
    assert.deepEqual(Object.keys(config.retention.purposes), ['profile', 'ephemeral']);
    assert.equal(config.retention.purposes.profile?.max_age, null);
    assert.equal(config.retention.purposes.ephemeral?.max_age, undefined, 'as the rest');
  });

  test('accepts a single value in place of a list', () => {
    assert.deepEqual(parseTestConfig('listen: 8080').listen, [{ port: 8080 }]);
    assert.deepEqual(parseTestConfig('listen: [8080, "[::1]:8081", "unix:run/p.sock"]').listen, [
      { port: 8080 },
      { host: '::1', port: 8081 },
      { path: '/etc/porter/run/p.sock' },
    ]);
    const two = 'public_url: https://x\ncomponent: [{jid: a.x, secret: s}, {jid: b.x, secret: s}]';
    assert.deepEqual(
      parseTestConfig(two).component.map((one) => one.jid),
      ['a.x', 'b.x'],
    );
    assert.deepEqual(parseTestConfig('external: {secret: [new, old]}').external?.secret, ['new', 'old']);
    assert.deepEqual(parseTestConfig('external: {secret: only}').external?.secret, ['only']);
  });

  test('resolves relative paths from its folder', () => {
    const config = parseTestConfig(
      'tls: {cert: c.pem, key: /abs/k.pem}\nstorage: {blobs: b, ledger: ../l.db}',
    );
    assert.deepEqual(config.tls, { cert: '/etc/porter/c.pem', key: '/abs/k.pem' });
    assert.deepEqual(config.storage.blobs, { kind: 'folder', path: '/etc/porter/b' });
    assert.deepEqual(config.storage.ledger, { kind: 'sqlite', path: '/etc/l.db' });
    assert.deepEqual(parseTestConfig('').storage.blobs, { kind: 'folder', path: '/etc/porter/data/blobs' });
  });

  test('may store files on S3 and metadata in PostgreSQL', () => {
    const blobs =
      's3://pictures/some/prefix/?endpoint=http://127.0.0.1:9000&region=eu&path_style=true&create=true';
    const config = parseTestConfig(`storage: {blobs: '${blobs}', ledger: 'postgres://porter:pw@db/porter'}`);
    assert.deepEqual(config.storage.blobs, {
      kind: 's3',
      bucket: 'pictures',
      prefix: 'some/prefix',
      endpoint: 'http://127.0.0.1:9000',
      public_endpoint: null,
      region: 'eu',
      path_style: true,
      create: true,
    });
    const url = 'postgres://porter:pw@db/porter';
    assert.deepEqual(config.storage.ledger, { kind: 'postgres', url, connections: 10 });
    const { storage } = parseTestConfig(`storage: {ledger: '${url}?connections=40'}`);
    assert.deepEqual(storage.ledger, { kind: 'postgres', url: `${url}?connections=40`, connections: 40 });
  });

  test('records the line of each key', () => {
    const { lines } = parseTestConfig("\naccess:\n  - jid: ['a',\n          'b']\n");
    assert.equal(lines.access, 2);
    assert.equal(lines['access[0].jid'], 3);
    assert.equal(lines['access[0].jid[1]'], 4);
  });

  test('is deeply frozen', () => {
    const config = parseTestConfig('access: [{jid: a}]') as unknown as {
      access: { jid: string[] }[];
      slots: { timeout: number };
    };
    assert.throws(() => config.access[0]?.jid.push('b'), TypeError);
    assert.throws(() => {
      config.slots.timeout = 1;
    }, TypeError);
  });

  test('may use YAML aliases', () => {
    const config = parseTestConfig('access:\n  - &a {jid: a, max_file_size: 5}\n  - *a\n');
    assert.equal(config.access[1]?.max_file_size, 5);
  });

  test('is read from disk with its absolute path', async () => {
    const file = join(folder, 'porter.yml');
    await writeFile(file, 'slot_api: {token_file: token}\nexternal: {secret: "${SECRET}"}');
    await writeFile(join(folder, 'token'), 'from-a-file-0123456789\r\n');
    const config = await loadConfig(file, { SECRET: 'from-the-environment' });
    assert.equal(config.file, file);
    assert.equal(config.slot_api?.token, 'from-a-file-0123456789', 'without the line break at the end');
    assert.deepEqual(config.external?.secret, ['from-the-environment']);
  });

  test('names admins and moderators as owners are named, and contacts as URIs', () => {
    const { web } = parseTestConfig(
      'web: {admins: [Admin@Example.ORG], moderators: [STRASSE@münchen.example], contact: [xmpp:a@b, "mailto:a@b", https://b/]}',
    );
    assert.deepEqual(web, {
      path: '/web/',
      admins: ['admin@example.org'],
      moderators: ['strasse@münchen.example'],
      contact: ['xmpp:a@b', 'mailto:a@b', 'https://b/'],
      sign_in: ['password', 'link'],
      token: null,
      title: 'Files',
      guest_links: true,
    });
    assert.deepEqual(parseTestConfig('web: {contact: mailto:a@b}').web?.contact, ['mailto:a@b']);
  });

  test('that does not exist is a config error', async () => {
    await assert.rejects(loadConfig(join(folder, 'nope.yml'), {}), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.format(), /nope\.yml: cannot be read: the file does not exist$/);
      return true;
    });
    await assert.rejects(loadConfig(folder, {}), /cannot be used/);
  });
});

describe('the example of the reference page', () => {
  test('is a valid config', async () => {
    const file = join(folder, 'example.yml');
    await writeFile(file, EXAMPLE_CONFIG);
    await mkdir(join(folder, 'secrets'));
    await writeFile(join(folder, 'secrets/slot-api-token'), 'slot-api-token-of-the-example');
    await writeFile(join(folder, 'secrets/web-token'), 'web-token-of-the-example-config');
    const config = await loadConfig(file, { PORTER_COMPONENT_SECRET: 'component-secret-of-the-example' });
    assert.deepEqual(config.warnings, []);
    assert.equal(config.component[0]?.secret, 'component-secret-of-the-example');
    assert.equal(config.external?.secret.length, 2);
    assert.deepEqual(config.retention.name_prefixes, {
      chat_: 'message',
      story_: 'ephemeral',
      blog_: 'permanent',
    });
  });
});

describe('without any file', () => {
  const config = defaultConfig('/srv/trial');

  test('this machine may upload, 100 MiB a file and 1 GiB in all', () => {
    assert.equal(config.file, null);
    assert.deepEqual(config.slot_api?.allow_from, ['127.0.0.0/8', '::1']);
    assert.equal(config.access.length, 1);
    assert.deepEqual(config.access[0]?.jid, ['.*']);
    assert.equal(config.access[0]?.max_file_size, 100 * MIB);
    assert.equal(config.global_quota, 1024 * MIB);
    assert.deepEqual(config.component, []);
  });

  test('it listens on loopback only and keeps its data in ./data', () => {
    assert.deepEqual(config.listen, [{ host: '127.0.0.1', port: 5050 }]);
    assert.deepEqual(config.storage.blobs, { kind: 'folder', path: '/srv/trial/data/blobs' });
    assert.deepEqual(config.storage.ledger, { kind: 'sqlite', path: '/srv/trial/data/porter.db' });
  });

  test('prints a warning', () =>
    assert.match(config.warnings.join(), /No config file: any user of this machine/));
});
