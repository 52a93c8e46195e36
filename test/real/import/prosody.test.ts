import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cleanFileName } from '../../../src/policy/file-names.ts';
import { httpRequest } from '../../support/http.ts';
import { isInstalled, needs } from '../peers/peers.ts';
import { type Prosody, startProsody } from '../peers/prosody.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { assertFilesServed, type ImportReport, runJsonCommand, type UploadRow } from './import-report.ts';
import type { OldFile } from './old-services.ts';

const NAMES = [
  'très cool.jpg',
  'a+b 100%.txt',
  'Foto (1).JPG',
  'x;y=z&q?#.png',
  '日本語.pdf',
  '"quotes" and \'more\' \\ back.txt',
  '😀.gif',
  'none',
];
const JULIET = 'juliet@localhost';

const SQL = `Component "sql.localhost" "http_file_share"
  http_paths = { file_share = "/shared" }
  storage = { uploads = "sql" }
  sql = { driver = "SQLite3", database = "prosody.sqlite" }`;

/** The path and query of a Prosody link, for a request to Porter. */
const linkOf = (url: string) => url.replace(/^https?:\/\/[^/]+/, '');

describe("Prosody's uploads", { skip: needs('prosody', 'slixmpp') }, () => {
  let folder: string;
  let data: string;
  let prosody: Prosody;
  let client: SlixmppClient;
  let porter: PorterProcess;
  let port: number;

  before(async () => {
    folder = await createTemporaryFolder();
    data = join(folder, 'data');
    await mkdir(data);
    port = await freePort();
    const http = (scheme: string) =>
      `  http_host = "127.0.0.1"\n  http_external_url = "${scheme}://127.0.0.1:${port}/"`;
    prosody = await startProsody({
      // Prosody opens no component port without a component.
      components: [{ jid: 'porter.localhost', secret: 'secret' }],
      global: `data_path = "${data}"\nhttp_ports = { ${port} }\nhttps_ports = {}\nhttp_interfaces = { "127.0.0.1" }`,
      // The older module requires https, which a web server would provide.
      extra: [
        `Component "share.localhost" "http_file_share"\n${http('http')}`,
        `Component "upload.localhost" "http_upload"\n${http('https')}`,
        ...(isInstalled('lua-dbi-sqlite3') ? [`${SQL}\n${http('http')}`] : []),
      ].join('\n'),
    });
    await prosody.register('juliet', 'secret');
    client = await SlixmppClient.login({ jid: JULIET, password: 'secret', port: prosody.clientPort });
    porter = await startPorter();
  });
  after(async () => {
    await client?.logout();
    await prosody?.stop();
    await porter?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const bring = (from: string, ...args: readonly string[]) =>
    runJsonCommand<ImportReport>(porter, 'import', '--from', from, ...args);

  /** Checks that Porter answers each link like Prosody. */
  async function asProsody(url: string): Promise<OldFile> {
    const answer = await httpRequest(url.replace('https:', 'http:'));
    assert.equal(answer.status, 200, url);
    const storedAt = Math.floor(Date.now() / 1000) * 1000;
    const type = answer.headers['content-type'] ?? 'application/octet-stream';
    return { link: linkOf(url), bytes: answer.text, type, owner: JULIET, storedAt };
  }

  async function checkAll(files: readonly OldFile[]): Promise<void> {
    const rows = await runJsonCommand<UploadRow[]>(porter, 'uploads');
    const stored = new Map(rows.map((row) => [row.name, Date.parse(row.stored)]));
    const named = files.map((file) => {
      const name = decodeURIComponent(basename(file.link));
      const storedAt = stored.get(cleanFileName(name)) ?? 0;
      assert.ok(Math.abs(storedAt - file.storedAt) < 120_000, name);
      return { ...file, storedAt };
    });
    await assertFilesServed(porter, named);
    assert.ok(rows.every(({ owner }) => owner === JULIET));
    assert.equal((await runJsonCommand<{ faults: number }>(porter, 'fsck')).faults, 0);
  }

  async function share(jid: string): Promise<OldFile[]> {
    const files: OldFile[] = [];
    for (const name of NAMES) {
      const path = join(folder, name);
      await writeFile(path, `the bytes of ${name}`);
      const upload = { jid, path, type: `application/x-${files.length}` };
      const { get } = await client.run<{ get: string }>('upload', upload);
      files.push(await asProsody(get));
    }
    // An unused slot has a record and no file.
    await client.run('slot', { jid, name: 'unused.jpg', size: 5, type: 'image/jpeg' });
    return files;
  }

  test('of mod_http_file_share keep their links, owner, type and time', async () => {
    const files = await share('share.localhost');
    assert.equal((await bring('prosody', data, '--dry-run')).imported, NAMES.length);
    const { imported, problems } = await bring('prosody', data);
    assert.deepEqual([imported, problems], [NAMES.length, 0]);
    await checkAll(files);
    for (const place of ['share%2elocalhost', 'share%2elocalhost/http_file_share']) {
      const again = await bring('prosody', join(data, place));
      assert.deepEqual([again.imported, again.already], [0, NAMES.length], place);
    }
    await porter.runCommand('forget', '--force', JULIET);
  });

  test('of mod_http_file_share with an SQLite archive keep theirs too', {
    skip: needs('lua-dbi-sqlite3'),
  }, async () => {
    const files = await share('sql.localhost');
    const place = join(data, 'sql%2elocalhost');
    const { imported, problems } = await bring('prosody', place, '--base-path', '/shared');
    assert.deepEqual([imported, problems], [NAMES.length, 0]);
    await checkAll(files);
    await porter.runCommand('forget', '--force', JULIET);
  });

  test('of mod_http_upload keep their links, owner and time', async () => {
    const files: OldFile[] = [];
    for (const name of NAMES) {
      const body = `the old bytes of ${name}`;
      const size = Buffer.byteLength(body);
      const slot = { jid: 'upload.localhost', name, size, type: 'image/jpeg' };
      const { put, get } = await client.run<{ put: string; get: string }>('slot', slot);
      const stored = await httpRequest(put.replace('https:', 'http:'), { method: 'PUT', body });
      assert.equal(stored.status, 201, stored.text);
      files.push(await asProsody(get));
    }
    const { imported, problems } = await bring('prosody-http-upload', data);
    assert.deepEqual([imported, problems], [NAMES.length, 0]);
    await checkAll(files);
    for (const place of ['localhost', 'http_upload']) {
      const again = await bring('prosody-http-upload', join(data, place));
      assert.deepEqual([again.imported, again.already], [0, NAMES.length], place);
    }
  });
});
