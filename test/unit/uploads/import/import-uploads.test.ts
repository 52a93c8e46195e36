import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { sha256Hex } from '../../../../src/base/ids.ts';
import { jidSha1 } from '../../../../src/base/owners.ts';
import { BlobError, type BlobStore } from '../../../../src/blobs/contract.ts';
import { deletePendingBlobs } from '../../../../src/uploads/blobs/delete-pending.ts';
import { fsck } from '../../../../src/uploads/fsck/fsck.ts';
import { type ImportOptions, importUploads } from '../../../../src/uploads/import/import-uploads.ts';
import { createOwnerLookup } from '../../../../src/uploads/import/owner-lookup.ts';
import type { ImportProblem } from '../../../../src/uploads/import/source.ts';
import { type ImportSourceName, importSources } from '../../../../src/uploads/import/sources.ts';
import { removeUploads } from '../../../../src/uploads/remove.ts';
import type { UploadServices } from '../../../../src/uploads/services.ts';
import { pendingKeys } from '../../../support/pending-keys.ts';
import { DAY, openTestServices } from '../../../support/test-services.ts';

const JULIET = 'juliet@example.org';

async function open(t: TestContext, from: ImportSourceName, jids: readonly string[] = [JULIET]) {
  const env = await openTestServices(t);
  const folder = await mkdtemp(join(tmpdir(), 'porter-old-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const now = env.services.clock() / 1000 - 60;
  const keep = async (path: string, bytes = 'bytes', then = now) => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
    await utimes(file, then, then);
  };
  const problems: ImportProblem[] = [];
  const owners = await createOwnerLookup(jids);
  const bring = (change: Partial<ImportOptions> = {}, services: UploadServices = env.services) =>
    importUploads(services, {
      source: importSources[from],
      folder,
      owners,
      basePaths: ['/upload/'],
      namespace: 'external',
      fallbackOwner: `import:${from}`,
      expireAfterMs: null,
      dryRun: false,
      onProblem: (problem) => problems.push(problem),
      ...change,
    });
  const rows = () => env.services.ledger.listUploads({ limit: 1000 });
  const find = (path: string) => env.services.ledger.find(`external:${sha256Hex(path)}`);
  return { env, folder, keep, bring, rows, find, problems, now };
}

describe('an imported file', () => {
  test('gets a valid name, and is found by its original one', async (t) => {
    const { keep, bring, find } = await open(t, 'prosody-filer');
    const long = `${'ü'.repeat(120)}.jpg`;
    const names = {
      'tab\there.txt': 'tab here.txt',
      'two\nlines.png': 'two lines.png',
      '...': 'file',
      ' ': 'file',
    };
    for (const name of [...Object.keys(names), long]) await keep(`id/${name}`);
    assert.equal((await bring()).imported, 5);
    for (const [name, shown] of Object.entries(names)) assert.equal((await find(`id/${name}`))?.name, shown);
    assert.equal((await find(`id/${long}`))?.name, long);
  });

  test('gets its type from the name if none is recorded, and never a type that is invalid in a header', async (t) => {
    const { keep, bring, find } = await open(t, 'xmpp-http-upload');
    await keep('a/x.png.data');
    await keep('a/y.png.data');
    await keep('a/y.png.meta', JSON.stringify({ headers: { 'Content-Type': 'image/png\r\nX-Evil: 1' } }));
    await keep('a/z.png.data');
    await keep('a/z.png.meta', '{"headers": nonsense');
    await keep('a/png.data');
    await bring();
    const types = await Promise.all(['x.png', 'y.png', 'z.png', 'png'].map((name) => find(`a/${name}`)));
    assert.deepEqual(
      types.map((upload) => upload?.type),
      ['image/png', 'image/png', 'image/png', 'application/octet-stream'],
    );
  });

  test('belongs to the owner with its hash or local part, else to a stable key', async (t) => {
    const { keep, bring, find } = await open(t, 'ejabberd', [
      JULIET,
      'ann@a.example',
      'ann@b.example',
      'b c@x.example',
    ]);
    const paths: Record<string, string> = {
      [`${jidSha1(JULIET)}/r/a.txt`]: JULIET,
      [`${jidSha1(JULIET).toUpperCase()}/r/b.txt`]: JULIET,
      [`${'ab'.repeat(20)}/r/c.txt`]: `sha1:${'ab'.repeat(20)}`,
      'juliet/r/d.txt': JULIET,
      'ann/r/e.txt': 'node:ann',
      'stranger/r/f.txt': 'node:stranger',
      'deeper/than/usual/g.txt': 'import:ejabberd',
    };
    for (const path of Object.keys(paths)) await keep(path);
    await bring();
    for (const [path, owner] of Object.entries(paths)) assert.equal((await find(path))?.owner, owner, path);
    assert.equal((await bring()).already, 7);
  });

  test('is charged to its owner even above the quota', async (t) => {
    const { env, keep, bring } = await open(t, 'ejabberd');
    await keep(`${jidSha1(JULIET)}/r/a.txt`, 'x'.repeat(5000));
    await bring();
    const { uploads, bytes } = await env.services.ledger.usage(JULIET);
    assert.deepEqual([uploads, bytes], [1, 5000]);
    env.setRules({ globalQuota: 1000 });
    await assert.rejects(env.requestSlot(), { code: 'service_full' });
  });

  test('keeps its upload time unless that is in the future, and expires as requested', async (t) => {
    const { env, keep, bring, find, now } = await open(t, 'prosody-filer');
    await keep('a/past', 'x', now - 3600);
    await keep('a/future', 'x', now + 3600);
    await bring({ expireAfterMs: 2 * DAY });
    const past = await find('a/past');
    assert.deepEqual([past?.storedAt, past?.expiresAt], [(now - 3600) * 1000, (now - 3600) * 1000 + 2 * DAY]);
    assert.equal((await find('a/future'))?.storedAt, env.services.clock());
  });

  test('gets the purpose derived from its name', async (t) => {
    const { keep, bring, find } = await open(t, 'prosody-filer');
    await keep('a/story_of.jpg');
    await keep('a/photo.jpg');
    await bring();
    assert.deepEqual(
      [(await find('a/story_of.jpg'))?.purpose, (await find('a/photo.jpg'))?.purpose],
      ['ephemeral', 'message'],
    );
  });

  test('is skipped if it has already expired according to the retention', async (t) => {
    const { keep, bring, rows, now } = await open(t, 'prosody-filer');
    await keep('a/old', 'x', now - 31 * 86_400);
    await keep('a/young', 'x', now - 29 * 86_400);
    const { expired, imported } = await bring();
    assert.deepEqual([expired, imported, (await rows()).length], [1, 1, 1]);
  });
});

describe('the bytes of an import', () => {
  test('are copied completely if the store cannot link', async (t) => {
    const { env, keep, bring, find } = await open(t, 'prosody-filer');
    const large = Buffer.alloc(3 * 1024 * 1024 + 17, 'large').toString();
    await keep('a/large.bin', large);
    await keep('a/empty.bin', '');
    const { linkFile: _, ...blobs } = env.services.blobs;
    const report = await bring({}, { ...env.services, blobs });
    assert.deepEqual([report.imported, report.linked, report.importedBytes], [2, 0, large.length]);
    const upload = (await find('a/large.bin')) ?? assert.fail();
    const blob = (await env.services.blobs.open(upload.blob)) ?? assert.fail();
    const chunks = await Array.fromAsync(blob.read(0, blob.size), (chunk) => Buffer.from(chunk));
    await blob.close();
    assert.equal(Buffer.concat(chunks).toString(), large);
  });

  test('stop the import if the store is full, without incomplete uploads', async (t) => {
    const { env, keep, bring, rows } = await open(t, 'prosody-filer');
    for (let i = 0; i < 20; i += 1) await keep(`a/${i}`);
    const { linkFile: _, ...blobs } = env.services.blobs;
    let left = 5;
    const put: typeof blobs.put = async (key, batches) => {
      left -= 1;
      if (left < 0) throw new BlobError('full', 'No space is left.');
      return blobs.put(key, batches);
    };
    await assert.rejects(bring({}, { ...env.services, blobs: { ...blobs, put } }), { kind: 'full' });
    assert.deepEqual(await rows(), []);
    assert.equal((await bring()).imported, 20);
  });

  test('are reported one by one if they cannot be read, and the rest is imported', async (t) => {
    const { env, keep, bring, problems } = await open(t, 'prosody-filer');
    await keep('a/gone');
    await keep('a/here');
    const linkFile = async (key: string, file: string) => {
      if (file.endsWith('gone')) await rm(file);
      return env.services.blobs.linkFile?.(key, file);
    };
    const report = await bring({}, { ...env.services, blobs: { ...env.services.blobs, linkFile } });
    assert.deepEqual([report.imported, report.problems], [1, 1]);
    assert.deepEqual(
      problems.map(({ problem }) => problem),
      ['it no longer exists'],
    );
  });

  test('are imported in batches of 100 in folder order, and a signal ends the import between batches', async (t) => {
    const { keep, bring, rows } = await open(t, 'prosody-filer');
    for (let i = 0; i < 250; i += 1) await keep(`a/${i}`);
    const stopping = new AbortController();
    const first = await bring({ signal: stopping.signal, onProgress: () => stopping.abort() });
    assert.equal(first.imported, 100);
    assert.equal((await rows()).length, 100);
    assert.equal((await bring()).imported, 150);
  });
});

describe('an import beside a server', () => {
  /** Imports a file that cannot be read at first, so that its blob key becomes a pending delete. Then `during` runs. */
  async function importTwice(t: TestContext, remove: BlobStore['remove'] | undefined) {
    const opened = await open(t, 'prosody-filer');
    const { env, keep, bring } = opened;
    await keep('a/b.txt', 'bytes');
    const linkFile = () =>
      Promise.reject(new BlobError('denied', 'No.', { code: 'EACCES', syscall: 'open' }));
    const unreadable = { ...env.services.blobs, linkFile };
    assert.equal((await bring({}, { ...env.services, blobs: unreadable })).problems, 1);
    assert.equal((await pendingKeys(env.services.ledger)).length, 1);
    const blobs = { ...env.services.blobs, ...(remove && { remove }) };
    const deletion = deletePendingBlobs({ ...env.services, blobs });
    return { ...opened, deletion };
  }

  async function assertReadable({ env, find }: Awaited<ReturnType<typeof importTwice>>): Promise<void> {
    const upload = (await find('a/b.txt')) ?? assert.fail();
    assert.equal(await env.services.blobs.size(upload.blob), 5);
    await fsck(env.services, { repair: false, onFault: (fault) => assert.fail(JSON.stringify(fault)) });
  }

  test('keeps its bytes if the server is deleting those of an earlier import at that moment', async (t) => {
    const begun = Promise.withResolvers<void>();
    const imported = Promise.withResolvers<void>();
    let removeLate: BlobStore['remove'] = async () => [];
    const started = await importTwice(t, async (keys) => {
      begun.resolve();
      await imported.promise;
      return removeLate(keys);
    });
    removeLate = started.env.services.blobs.remove;
    await begun.promise;
    assert.equal((await started.bring()).imported, 1);
    imported.resolve();
    await started.deletion;
    await assertReadable(started);
    assert.equal((await started.bring()).already, 1);
  });

  test('does not wait for bytes that cannot be deleted', async (t) => {
    const error = new BlobError('denied', 'It is immutable.');
    const started = await importTwice(t, async (keys) => keys.map((key) => ({ key, error })));
    await started.deletion;
    assert.equal((await started.bring()).imported, 1);
    const upload = (await started.find('a/b.txt')) ?? assert.fail();
    assert.equal(await started.env.services.blobs.size(upload.blob), 5);
  });
});

describe('the other service', () => {
  test('keeps its files, however often they are imported and removed in Porter', async (t) => {
    const { env, folder, keep, bring, rows } = await open(t, 'prosody-filer');
    await keep('a/b.txt', 'bytes');
    await bring();
    await env.services.blobs.remove((await rows()).map(({ blob }) => blob));
    assert.equal((await stat(join(folder, 'a/b.txt'))).size, 5);
    assert.deepEqual(await readdir(folder), ['a']);
  });

  test('may be imported again, and stored files are then compared by size without being opened', async (t) => {
    const { env, keep, bring } = await open(t, 'prosody-filer');
    await keep('a/b.txt');
    await bring();
    const blobs = { ...env.services.blobs, open: () => Promise.reject(new Error('a blob was opened')) };
    assert.equal((await bring({}, { ...env.services, blobs })).already, 1);
  });

  test('may be imported again, and what was deleted in Porter does not come back', async (t) => {
    const { env, keep, bring, rows } = await open(t, 'prosody-filer');
    await keep('a/kept.txt');
    await keep('a/deleted.txt');
    await bring();
    const deleted = (await rows()).find(({ name }) => name === 'deleted.txt') ?? assert.fail();
    await removeUploads(env.services, { ids: [deleted.id], reason: 'deleted', detail: '' });
    const { imported, already, removed } = await bring();
    assert.deepEqual({ imported, already, removed }, { imported: 0, already: 1, removed: 1 });
    assert.deepEqual(
      (await rows()).map(({ name }) => name),
      ['kept.txt'],
    );
    assert.deepEqual(await pendingKeys(env.services.ledger), [], 'no bytes were written');
  });

  test('may have Prosody records in any order, duplicates, and records of missing files', async (t) => {
    const { keep, bring, rows, problems, now } = await open(t, 'prosody');
    const item = (key: string, name: string, more = '') =>
      `item({\n\t["attr"] = {\n\t\t["filename"] = "${name}";\n\t\t["size"] = "5";\n\t};\n\t["key"] = "${key}";\n${more}});\n`;
    const items = [
      item(
        '-Dd5e3KUITZVu49MHw1-Xh5p',
        'a b.jpg',
        '\t["when"] = 1767139200;\n\t["with"] = "Juliet@Example.ORG";\n',
      ),
      item('gone', 'gone.jpg'),
      item('-Dd5e3KUITZVu49MHw1-Xh5p', 'twin.jpg'),
      item('stranger', 'x.txt'),
      'item({\n\t["key"] = "no attributes";\n});\n',
    ];
    await keep('up%2eexample%2eorg/uploads.list', items.join(''));
    await keep('up%2eexample%2eorg/http_file_share/%2dDd5e3KUITZVu49MHw1%2dXh5p.bin');
    await keep('up%2eexample%2eorg/http_file_share/stranger.bin');
    await keep('up%2eexample%2eorg/http_file_share/unknown.bin');
    await keep('up%2eexample%2eorg/http_file_share/half.bin~');
    await keep('example%2eorg/accounts/juliet.dat');
    const report = await bring({ namespace: 'file_share' });
    assert.deepEqual([report.imported, report.problems], [2, 1]);
    assert.deepEqual(
      (await rows()).map(({ name, owner, storedAt }) => [name, owner, storedAt]).toSorted(),
      [
        ['a b.jpg', JULIET, 1767139200000],
        ['x.txt', 'import:prosody', now * 1000],
      ].toSorted(),
    );
    assert.match(problems[0]?.file ?? '', /unknown\.bin$/);
  });
});
