import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { createTemporaryFolder, startPorter } from '../support/porter-process.ts';
import { type ImportReport, runJsonCommand } from './import-report.ts';

const SECRET = 'it-is-secret';

test('imported files of a service are served by the endpoint that replaces it, and cannot be overwritten', async (t) => {
  const old = await createTemporaryFolder();
  t.after(() => rm(old, { recursive: true, force: true }));
  const path = '3d1b2c7e/très cool.jpg';
  await mkdir(join(old, '3d1b2c7e'));
  await writeFile(join(old, path), 'old bytes');
  const config = {
    external: { path: '/up/', secret: SECRET },
    file_share: { path: '/share/', secret: SECRET },
  };
  const porter = await startPorter({ config });
  t.after(() => porter.remove());
  const link = `/up/${encodeURI(path)}`;
  // No endpoint accepts such a name now.
  const strange = `${'long '.repeat(40)}\n`;
  await writeFile(join(old, '3d1b2c7e', strange), 'strange');

  const { imported } = await runJsonCommand<ImportReport>(
    porter,
    'import',
    '--from',
    'prosody-filer',
    '--base-path',
    '/up/',
    old,
  );
  assert.equal(imported, 2);
  assert.equal((await httpRequest(`${porter.url}${link}`)).text, 'old bytes');
  const other = `/up/3d1b2c7e/${encodeURIComponent(strange)}`;
  assert.equal((await httpRequest(`${porter.url}${other}`)).text, 'strange');

  // The signed links of Prosody's module never expire.
  const put = (body: string) => {
    const mac = createHmac('sha256', SECRET)
      .update(`${path} ${Buffer.byteLength(body)}`)
      .digest('hex');
    return httpRequest(`${porter.url}${link}?v=${mac}`, { method: 'PUT', body });
  };
  assert.equal((await put('other bytes')).status, 409);
  assert.equal((await httpRequest(`${porter.url}${link}`)).text, 'old bytes');
  assert.equal((await porter.runCommand('delete', `https://old.example.org${link}`)).code, 0);
  assert.equal((await put('other bytes')).status, 409, 'what was deleted stays deleted');
  await porter.program.waitFor(
    'the deletion',
    async () => (await httpRequest(`${porter.url}${link}`)).status === 404,
  );
});

test('links work whether or not their endpoint is enabled', async (t) => {
  const old = await createTemporaryFolder();
  t.after(() => rm(old, { recursive: true, force: true }));
  await mkdir(join(old, 'id'));
  await writeFile(join(old, 'id/a.txt'), 'old bytes');
  const porter = await startPorter();
  t.after(() => porter.remove());
  await runJsonCommand<ImportReport>(porter, 'import', '--from', 'prosody-filer', old);
  const asked = () => httpRequest(`${porter.url}/upload/id/a.txt`);
  await porter.program.waitFor('the link', async () => (await asked()).status === 200);
  const methods = await Promise.all(
    ['OPTIONS', 'HEAD', 'PUT', 'DELETE'].map((method) =>
      httpRequest(`${porter.url}/upload/id/a.txt`, { method }),
    ),
  );
  assert.deepEqual(
    methods.map(({ status }) => status),
    [200, 200, 404, 404],
  );
  assert.equal(methods[0]?.headers['access-control-allow-origin'], '*');
  assert.equal(methods[0]?.headers.allow, 'OPTIONS, HEAD, GET');
  assert.equal(methods[1]?.headers['content-length'], '9');
  await porter.stop();
  const later = await startPorter({ folder: porter.folder, config: { external: { secret: SECRET } } });
  t.after(() => later.stop());
  assert.equal((await httpRequest(`${later.url}/upload/id/a.txt`)).text, 'old bytes');
});
