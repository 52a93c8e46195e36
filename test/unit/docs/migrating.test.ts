import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configSchema } from '../../../src/config/schema/config-schema.ts';
import { listKeyPaths } from '../../../src/config/schema/structure.ts';
import { importSources } from '../../../src/uploads/import/sources.ts';

const ROOT = join(import.meta.dirname, '../../..');
const page = readFileSync(join(ROOT, 'docs/migrating.md'), 'utf8');

/** Every setting in the documentation of these programs. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  'django-xmpp-http-upload': [
    'XMPP_HTTP_UPLOAD_ACCESS',
    'max_file_size',
    'max_total_size',
    'bytes_per_timedelta',
    'uploads_per_timedelta',
    'XMPP_HTTP_UPLOAD_DOMAIN',
    'XMPP_HTTP_UPLOAD_URL_BASE',
    'XMPP_HTTP_UPLOAD_URL_HTTPS',
    'XMPP_HTTP_UPLOAD_ROOT',
    'XMPP_HTTP_UPLOAD_PUT_TIMEOUT',
    'XMPP_HTTP_UPLOAD_SHARE_TIMEOUT',
    'XMPP_HTTP_UPLOAD_WEBSERVER_DOWNLOAD',
    'XMPP_HTTP_UPLOAD_ADD_CONTENT_LENGTH',
    'MEDIA_ROOT',
    'MEDIA_URL',
    'cleanup_http_uploads',
  ],
  HttpUploadComponent: [
    'component_jid',
    'component_secret',
    'component_port',
    'storage_path',
    'whitelist',
    'max_file_size',
    'http_address',
    'http_port',
    'http_keyfile',
    'http_certfile',
    'get_url',
    'put_url',
    'expire_interval',
    'expire_maxage',
    'user_quota_hard',
    'user_quota_soft',
  ],
  "Prosody's mod_http_upload_external": ['base_url', 'secret', 'file_size_limit', 'protocol', 'access'].map(
    (name) => `http_upload_external_${name}`,
  ),
  "Prosody's mod_post_msg": ['http_paths', 'to', 'type', 'body'],
  "Prosody's mod_rest": [
    ...['auth_mechanisms', 'stanza_size_limit', 'iq_timeout', 'iq_max_timeout', 'callback_url'],
    ...['callback_content_type', 'callback_stanzas', 'callback_events', 'demo_resources'],
  ].map((name) => `rest_${name}`),
  "Prosody's own mod_http_file_share and mod_http_upload": [
    ...['size_limit', 'daily_quota', 'global_quota', 'expires_after', 'allowed_file_types'],
    ...['safe_file_types', 'access', 'base_url', 'secret'],
  ].map((name) => `http_file_share_${name}`),
  "ejabberd's mod_http_upload": [
    ...['access', 'custom_headers', 'dir_mode', 'docroot', 'external_secret', 'file_mode', 'get_url'],
    ...['host', 'hosts', 'jid_in_url', 'max_size', 'name', 'put_url', 'rm_on_unregister'],
    ...['secret_length', 'service_url', 'thumbnail', 'vcard'],
    ...['access_soft_quota', 'access_hard_quota', 'max_days'],
  ],
};

/** Returns the cells of all table rows below a heading. */
function rowsBelow(heading: string): string[][] {
  const start = page.indexOf(`## ${heading}\n`);
  assert.ok(start >= 0, heading);
  const end = page.indexOf('\n## ', start);
  const section = page.slice(start, end < 0 ? undefined : end);
  const lines = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| there'));
  return lines.map((line) => line.split('|').map((cell) => cell.trim()));
}

const codesIn = (cell: string | undefined) =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

describe('docs/migrating.md', () => {
  for (const [program, settings] of Object.entries(SETTINGS)) {
    test(`covers every setting of ${program}`, () => {
      const there = rowsBelow(program).flatMap(([, cell]) => codesIn(cell));
      assert.deepEqual(
        settings.filter((name) => !there.includes(name)),
        [],
      );
    });
  }

  test('names only existing options', () => {
    const known = new Set(listKeyPaths(configSchema));
    const here = page.matchAll(/^\|[^|]*\|([^|]*)\|/gm);
    const named = [...here].flatMap(([, cell]) => codesIn(cell));
    const paths = named
      .map((code) => code.split(/[:\s]/, 1)[0] ?? '')
      .filter((code) => /^[a-z_]+(?:\[\])?\.[a-z_.]+$/.test(code));
    assert.ok(paths.length > 30);
    assert.deepEqual(
      paths.filter((path) => !known.has(path)),
      [],
    );
  });

  test('names exactly the sources of porter import', () => {
    const after = [...page.matchAll(/--from ([a-z][a-z-]+)/g)].map(([, name = '']) => name);
    assert.deepEqual([...new Set(after)].toSorted(), Object.keys(importSources).toSorted());
  });

  test('links to existing files', () => {
    for (const [, target = ''] of page.matchAll(/\]\(([^)]+)\)/g)) {
      assert.ok(existsSync(join(ROOT, 'docs', target)), target);
    }
  });
});
