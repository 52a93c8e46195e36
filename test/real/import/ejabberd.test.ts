import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { startEjabberd } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import { createTemporaryFolder, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { assertFilesServed, type ImportReport, runJsonCommand, type UploadRow } from './import-report.ts';
import type { OldFile } from './old-services.ts';

const NAMES = [
  'très cool.jpg',
  'a+b 100%.txt',
  'Foto (1).JPG',
  'x;y=z&q?#.png',
  '日本語.pdf',
  '😀.gif',
  'none',
];
const JULIET = 'juliet@localhost';

test("files of a real ejabberd's mod_http_upload keep their links, owner, type and time", {
  skip: needs('ejabberd', 'slixmpp'),
}, async (t) => {
  const folder = await createTemporaryFolder();
  t.after(() => rm(folder, { recursive: true, force: true }));
  const docroot = join(folder, 'docroot');
  await mkdir(docroot);
  const port = await freePort();
  const ejabberd = await startEjabberd({
    listeners: `  - {port: ${port}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/upload: mod_http_upload}}`,
    modules: `  mod_http_upload: {docroot: "${docroot}", put_url: "http://127.0.0.1:${port}/upload", access: all}`,
  });
  t.after(() => ejabberd.stop());
  await ejabberd.register('juliet', 'secret');
  const login = { jid: JULIET, password: 'secret', port: ejabberd.clientPort };
  const client = await SlixmppClient.login(login);
  t.after(() => client.logout());
  const porter = await startPorter();
  t.after(() => porter.remove());

  const uploaded: Omit<OldFile, 'storedAt'>[] = [];
  for (const name of NAMES) {
    const path = join(folder, name);
    await writeFile(path, `the bytes of ${name}`);
    const { get } = await client.run<{ get: string }>('upload', { jid: 'upload.localhost', path });
    const { status, text, headers } = await httpRequest(get);
    assert.equal(status, 200, get);
    const type = headers['content-type'] ?? 'application/octet-stream';
    uploaded.push({ link: get.replace(/^https?:\/\/[^/]+/, ''), bytes: text, type, owner: JULIET });
  }

  const command = ['import', '--from', 'ejabberd', '--owner', JULIET, docroot];
  const { imported, linked, problems } = await runJsonCommand<ImportReport>(porter, ...command);
  assert.deepEqual([imported, linked, problems], [NAMES.length, NAMES.length, 0]);
  const rows = await runJsonCommand<UploadRow[]>(porter, 'uploads');
  assert.ok(rows.every(({ owner }) => owner === JULIET));
  const stored = new Map(rows.map((row) => [row.name, Date.parse(row.stored)]));
  const files = uploaded.map((file) => {
    const storedAt = stored.get(decodeURIComponent(file.link.split('/').at(-1) ?? '')) ?? 0;
    assert.ok(Math.abs(storedAt - Date.now()) < 120_000, file.link);
    return { ...file, storedAt };
  });
  await assertFilesServed(porter, files);
  assert.equal((await runJsonCommand<ImportReport>(porter, ...command)).already, NAMES.length);
  assert.equal((await runJsonCommand<{ faults: number }>(porter, 'fsck')).faults, 0);
});
