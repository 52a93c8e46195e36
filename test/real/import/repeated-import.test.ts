import assert from 'node:assert/strict';
import { mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { MAIN } from '../../support/paths.ts';
import { createTemporaryFolder, runPorter, startPorter } from '../support/porter-process.ts';
import { Program } from '../support/program.ts';
import { type ImportReport, runJsonCommand, type UploadRow } from './import-report.ts';

/** Enough files to kill the import before its end. */
const MANY = 1500;

async function open(t: TestContext, config: Readonly<Record<string, unknown>> = {}) {
  const porter = await startPorter({ config });
  const old = await createTemporaryFolder();
  t.after(() => porter.remove());
  t.after(() => rm(old, { recursive: true, force: true }));
  const keep = async (path: string, bytes: string) => {
    await mkdir(join(old, path, '..'), { recursive: true });
    await writeFile(join(old, path), bytes);
  };
  const bring = (...more: readonly string[]) =>
    runJsonCommand<ImportReport>(porter, 'import', '--from', 'prosody-filer', old, ...more);
  const status = async (path: string) => (await httpRequest(`${porter.url}${path}`)).status;
  return { porter, old, keep, bring, status };
}

async function countBlobs(folder: string): Promise<number> {
  const entries = await readdir(join(folder, 'data/blobs'), { recursive: true }).catch(() => []);
  return entries.filter((name) => name.includes('.')).length;
}

describe('A repeated import', () => {
  test('imports the remaining files after a kill, none twice and none incomplete', async (t) => {
    const { porter, old, keep, bring } = await open(t);
    for (let i = 0; i < MANY; i += 1) await keep(`${i}/${i}.txt`, `the bytes of ${i}`);

    const args = [MAIN, 'import', '--from', 'prosody-filer', old, '-c', 'porter.yml'];
    const killed = new Program(process.execPath, args, { cwd: porter.folder });
    await killed.waitFor('some files', async () => (await countBlobs(porter.folder)) > 150);
    await killed.stop('SIGKILL');
    const before = (await runJsonCommand<UploadRow[]>(porter, 'uploads')).length;
    assert.ok(before < MANY, 'it was killed in the middle');

    const report = await bring();
    assert.deepEqual([report.imported, report.already, report.problems], [MANY - before, before, 0]);
    const rows = await runJsonCommand<UploadRow[]>(porter, 'uploads');
    assert.equal(new Set(rows.map(({ name }) => name)).size, MANY);
    for (let i = 0; i < MANY; i += 97) {
      assert.equal((await httpRequest(`${porter.url}/upload/${i}/${i}.txt`)).text, `the bytes of ${i}`);
    }
    const { faults } = await runJsonCommand<{ faults: number }>(porter, 'fsck');
    assert.equal(faults, 0);
  });

  test('adds new files, repairs lost ones, and leaves deleted ones deleted', async (t) => {
    const { porter, keep, bring, status } = await open(t);
    await keep('a/kept.txt', 'kept');
    await keep('b/lost.txt', 'lost');
    await keep('c/deleted.txt', 'deleted');
    assert.equal((await bring()).imported, 3);
    const link = 'https://uploads.example.org/upload/c/deleted.txt';
    assert.equal((await porter.runCommand('delete', link)).code, 0);
    const lost = (await runJsonCommand<UploadRow[]>(porter, 'uploads')).find(
      ({ name }) => name === 'lost.txt',
    );
    await rm(join(porter.folder, 'data/blobs', lost?.id.slice(-2) ?? '', `${lost?.id}.txt`));
    await keep('d/new.txt', 'new');

    const { imported, already, removed } = await bring();
    assert.deepEqual([imported, already, removed], [1, 2, 1]);
    assert.deepEqual([await status('/upload/a/kept.txt'), await status('/upload/b/lost.txt')], [200, 200]);
    assert.deepEqual([await status('/upload/c/deleted.txt'), await status('/upload/d/new.txt')], [404, 200]);
    const answer = await porter.runCommand('why', link);
    assert.match(answer.stdout, /deleted\.txt.*\n.*It was deleted/);
    const { faults } = await runJsonCommand<{ faults: number }>(porter, 'fsck');
    assert.equal(faults, 0);
  });
});

describe('An import', () => {
  test('is found by porter why, by link and by id', async (t) => {
    const { porter, keep, bring } = await open(t);
    await keep('3d1b2c7e/très cool.jpg', 'bytes');
    await bring();
    const [row] = await runJsonCommand<UploadRow[]>(porter, 'uploads');
    assert.equal(row?.link, null, 'its link is outside public_url');
    for (const target of ['https://old.example.org/upload/3d1b2c7e/tr%c3%a8s%20cool.jpg', String(row?.id)]) {
      const { code, stdout } = await porter.runCommand('why', target);
      assert.equal(code, 0, target);
      assert.match(stdout, /très cool\.jpg/);
    }
    const unknown = await porter.runCommand('why', 'https://old.example.org/upload/3d1b2c7e/other.jpg');
    assert.equal(unknown.code, 1);
  });

  test('follows no symbolic links', async (t) => {
    const { porter, old, keep, bring, status } = await open(t);
    await keep('a/plain.txt', 'plain');
    await symlink(join(porter.folder, 'porter.yml'), join(old, 'a/link.txt'));
    await symlink(porter.folder, join(old, 'folder'));
    const { files, imported } = await bring();
    assert.deepEqual([files, imported], [1, 1]);
    assert.equal(await status('/upload/a/link.txt'), 404);
    assert.equal(await status('/upload/folder/porter.yml'), 404);
    assert.equal(await status('/upload/../porter.yml'), 404);
    assert.equal(await status('/upload/a/plain.txt'), 200);
  });

  test('skips files that retention would remove at once, and sets an expiry time if asked', async (t) => {
    const { porter, old, keep, bring, status } = await open(t, { retention: { max_age: '30d' } });
    await keep('a/old.txt', 'old');
    const then = Date.now() / 1000 - 40 * 86_400;
    await utimes(join(old, 'a/old.txt'), then, then);
    await keep('b/young.txt', 'young');
    const { imported, expired } = await bring('--expire-after', '7d');
    assert.deepEqual([imported, expired], [1, 1]);
    assert.deepEqual([await status('/upload/a/old.txt'), await status('/upload/b/young.txt')], [404, 200]);
    const [row] = await runJsonCommand<UploadRow[]>(porter, 'uploads');
    const left = Date.parse(row?.expires ?? '') - Date.parse(row?.stored ?? '');
    assert.equal(left, 7 * 86_400_000);
  });

  test('keeps its links if public_url has a path', async (t) => {
    const { porter, keep, bring } = await open(t, { public_url: 'https://example.org/upload' });
    await keep('a/b.txt', 'bytes');
    await bring();
    for (const path of ['/upload/a/b.txt', '/a/b.txt']) {
      assert.equal((await httpRequest(`${porter.url}${path}`)).status, 200, path);
    }
    assert.equal(
      (await httpRequest(`${porter.url}/upload/healthz`)).status,
      200,
      'existing endpoints stay reachable',
    );
  });

  test('never replaces a file of Porter', async (t) => {
    const { porter, keep, bring } = await open(t);
    await keep('healthz', 'not this');
    await keep('files/x', 'bytes');
    await bring('--base-path', '/');
    assert.notEqual((await httpRequest(`${porter.url}/healthz`)).text, 'not this');
    assert.equal((await httpRequest(`${porter.url}/healthz`, { method: 'DELETE' })).status, 404);
  });

  test('reports invalid arguments, and files that it could not import', async (t) => {
    const { porter, old, keep } = await open(t);
    const folder = await createTemporaryFolder();
    t.after(() => rm(folder, { recursive: true, force: true }));
    const nowhere = await runPorter(['import', '--from', 'ejabberd', old], { cwd: folder });
    assert.deepEqual([nowhere.code, /No ledger found at/.test(nowhere.stderr)], [1, true]);
    for (const args of [
      ['--from', 'nothing', old],
      [old],
      ['--from', 'ejabberd', join(old, 'nothing')],
      ['--from', 'ejabberd', '--records', 'x.json', old],
      ['--from', 'ejabberd', '--owner', '@', old],
    ]) {
      assert.equal((await porter.runCommand('import', ...args)).code, 2, args.join(' '));
    }
    await keep('http_file_share/unknown%2dfile.bin', 'x');
    const lost = await porter.runCommand('import', '--from', 'prosody', old);
    assert.equal(lost.code, 1);
    assert.match(lost.stderr, /unknown%2dfile\.bin: it has no record/);
  });
});
