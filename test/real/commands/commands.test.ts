import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import {
  createTemporaryFolder,
  type PorterProcess,
  runPorter,
  startPorter,
} from '../support/porter-process.ts';
import { getSlot, openSlotConfig } from '../support/slots.ts';

const BODY = randomBytes(10_000);

const startServer = () => startPorter({ config: { ...openSlotConfig, public_url: 'http://127.0.0.1:5050' } });

/** Rewrites a link to the address of the test server; links contain `public_url`. */
function here({ url }: PorterProcess, link: string): string {
  return link.replace('http://127.0.0.1:5050', url);
}

async function storeFor(porter: PorterProcess, jid: string, name = 'picture.jpg'): Promise<string> {
  const { put, get } = await getSlot(porter, { jid, name, size: BODY.length, type: 'image/jpeg' });
  assert.equal((await httpRequest(here(porter, put), { method: 'PUT', body: BODY })).status, 201);
  return here(porter, get);
}

async function json(porter: PorterProcess, ...args: readonly string[]) {
  const { code, stdout, stderr } = await porter.runCommand(...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Waits until a file is gone; the server may cache it for a second. */
function gone({ program }: PorterProcess, link: string): Promise<void> {
  return program.waitFor('a 404', async () => (await httpRequest(link)).status === 404);
}

describe('Commands next to a running server', { concurrency: true }, () => {
  let porter: PorterProcess;
  before(async () => {
    porter = await startServer();
  });
  after(() => porter.remove());

  test('uploads lists the stored files, with working links', async () => {
    const get = await storeFor(porter, 'ulla@example.org', 'zwölf Äpfel.jpg');
    const [upload, ...others] = await json(porter, 'uploads', '--jid', 'ulla@example.org');
    assert.deepEqual(others, []);
    assert.deepEqual(
      [upload.state, upload.owner, upload.name, upload.size, upload.type],
      ['uploaded', 'ulla@example.org', 'zwölf Äpfel.jpg', BODY.length, 'image/jpeg'],
    );
    assert.equal(here(porter, upload.link), get);
    await getSlot(porter, { jid: 'ulla@example.org', size: 5 });
    const pending = await json(porter, 'uploads', '--jid', 'ulla@example.org', '--state', 'pending');
    assert.equal(pending.length, 1);
    const ullas = async (...filter: readonly string[]) =>
      ((await json(porter, 'uploads', '--jid', 'ulla@example.org', ...filter)) as { size: number }[]).map(
        ({ size }) => size,
      );
    assert.deepEqual(await ullas('--larger', '5k'), [BODY.length]);
    assert.deepEqual(await ullas('--type', 'image/', '--since', '1h'), [BODY.length]);
    assert.deepEqual(await ullas('--type', 'video/'), []);
    assert.deepEqual(await ullas('--sort', 'size'), [BODY.length, 5]);
    assert.deepEqual(await ullas('--sort', 'newest', '--limit', '1'), [5]);
  });

  test('delete removes files by id and by link, also for the running server', async () => {
    const [byId, byLink] = [
      await storeFor(porter, 'dora@example.org'),
      await storeFor(porter, 'dora@example.org'),
    ];
    const listed = (await json(porter, 'uploads', '--jid', 'dora@example.org')) as {
      id: string;
      link: string;
    }[];
    const id = listed.find(({ link }) => here(porter, link) === byId)?.id ?? '';
    assert.equal((await httpRequest(byId)).status, 200);
    assert.deepEqual((await json(porter, 'delete', id)).removed, [id]);
    await gone(porter, byId);
    assert.equal((await httpRequest(byLink)).status, 200);
    assert.equal((await porter.runCommand('delete', byLink)).code, 0);
    await gone(porter, byLink);
    const twice = await porter.runCommand('delete', byLink);
    assert.equal(twice.code, 1);
    assert.match(
      twice.stderr,
      /was removed before, (?:on .+ )?at \d\d:\d\d UTC, \d+ seconds? ago: deleted by porter delete/,
    );
  });

  test('why explains what happened to a deleted file, and which rule applies to a JID', async () => {
    const get = await storeFor(porter, 'will@example.org', 'lost.jpg');
    assert.equal((await porter.runCommand('delete', get)).code, 0);
    const file = await porter.runCommand('why', get);
    assert.equal(file.code, 0);
    assert.match(
      file.stdout,
      /lost\.jpg[\s\S]*^It was deleted by porter delete (?:on .+ )?at \d\d:\d\d UTC/m,
    );
    const person = await porter.runCommand('why', 'will@example.org');
    assert.match(person.stdout, /may upload: access rule 1/);
    assert.equal((await porter.runCommand('why', 'https://upload.example.org/files/nothing/x')).code, 1);
  });

  test('forget of a user without files fails, and asks for the whole JID', async () => {
    await storeFor(porter, 'gustav@example.org');
    const node = await porter.runCommand('forget', 'gustav');
    assert.equal(node.code, 1);
    assert.match(node.stderr, /No files of gustav found\..*porter forget gustav@example\.org/);
    const unknown = await porter.runCommand('forget', 'paris@example.org');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /No files of paris@example\.org found\. porter users lists/);
  });

  test('forget removes all files of a JID, and the JID from the records', async () => {
    const links = [await storeFor(porter, 'fred@example.org'), await storeFor(porter, 'fred@example.org')];
    const other = await storeFor(porter, 'fredrika@example.org');
    const refused = await porter.runCommand('forget', 'fred@example.org');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /would remove 2 of \d+ files.*porter forget --force fred@example\.org/);
    const dry = await porter.runCommand('forget', '--dry-run', 'fred@example.org');
    assert.match(
      dry.stdout,
      /^2 files of fred@example\.org \(19\.5 KiB\) and 0 pending slots would be removed\.$/m,
    );
    for (const link of links) assert.equal((await httpRequest(link)).status, 200);
    assert.deepEqual(await json(porter, 'forget', '--force', 'fred@example.org'), {
      owner: 'fred@example.org',
      removed: 2,
    });
    for (const link of links) await gone(porter, link);
    assert.equal((await httpRequest(other)).status, 200);
    const users = (await json(porter, 'users')) as { owner: string }[];
    assert.ok(!users.some(({ owner }) => owner === 'fred@example.org'));
    const story = await porter.runCommand('why', links[0] ?? '', '--json');
    assert.doesNotMatch(story.stdout, /fred@example/);
  });
});

describe('Commands over all files, next to a running server', () => {
  let porter: PorterProcess;
  before(async () => {
    porter = await startServer();
  });
  after(() => porter.remove());

  test('users and stats report counts', async () => {
    await storeFor(porter, 'stan@example.org');
    await storeFor(porter, 'stan@example.org');
    const users = (await json(porter, 'users')) as { owner: string; uploads: number; bytes: number }[];
    const stan = users.find(({ owner }) => owner === 'stan@example.org');
    assert.deepEqual([stan?.uploads, stan?.bytes], [2, 2 * BODY.length]);
    const stats = await json(porter, 'stats');
    const sum = users.reduce((total, { bytes }) => total + bytes, 0);
    assert.deepEqual([stats.bytes, stats.owners], [sum, users.length]);
  });

  test('cleanup lists what it would remove, then removes it', async () => {
    const get = await storeFor(porter, 'carl@example.org');
    const dry = await json(porter, 'cleanup', '--dry-run', '--max-age', '0s');
    assert.ok(dry.expired >= 1);
    assert.equal((await httpRequest(get)).status, 200);
    const refused = await porter.runCommand('cleanup', '--max-age', '1ms');
    assert.match(refused.stderr, /would remove \d+ of \d+ files.*--force/);
    const unclear = await porter.runCommand('cleanup', '--max-age', '30');
    assert.equal(unclear.code, 2);
    assert.match(unclear.stderr, /30 has no unit: write 30d, 30 min or 30s/);
    assert.equal((await httpRequest(get)).status, 200);
    const swept = await json(porter, 'cleanup', '--max-age', '0s', '--force');
    assert.ok(swept.expired >= 1);
    await gone(porter, get);
    assert.deepEqual(await json(porter, 'uploads', '--state', 'uploaded'), []);
  });

  test('no command writes while the blob volume is not mounted, and no file is lost', async () => {
    const get = await storeFor(porter, 'vera@example.org');
    const blobs = `${porter.folder}/data/blobs`;
    const readiness = () => httpRequest(`${porter.url}/readyz`);
    await rename(blobs, `${blobs}.mounted`);
    await mkdir(blobs);
    const commands = [
      ['fsck', '--repair'],
      ['fsck'],
      ['cleanup'],
      ['delete', get],
      ['forget', 'vera@example.org'],
    ];
    for (const command of commands) {
      const { code, stderr } = await porter.runCommand(...command);
      assert.equal(code, 1, command.join(' '));
      assert.match(
        stderr,
        /has no marker porter-store-id.*Check that the volume of storage\.blobs is mounted/,
      );
    }
    await porter.program.waitFor('/readyz to fail', async () => (await readiness()).status === 503);
    assert.match((await readiness()).text, /does not belong to the database/);
    const second = await porter.runCommand('serve');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /has no marker porter-store-id/);
    await rm(blobs, { recursive: true });
    await rename(`${blobs}.mounted`, blobs);
    await porter.program.waitFor('/readyz to succeed', async () => (await readiness()).status === 200);
    assert.ok((await httpRequest(get)).body.equals(BODY));
    assert.equal((await porter.runCommand('fsck', '--repair')).code, 0);
  });

  test('import of a folder that is not the one of the service fails, and says what the folder must hold', async () => {
    const { code, stderr } = await porter.runCommand('import', '--from', 'prosody', porter.folder);
    assert.equal(code, 1);
    assert.match(stderr, /No files of prosody found in .*HOST\/http_file_share/);
  });

  test('fsck --rejoin ties the database to a store that has lost its marker', async () => {
    await rm(`${porter.folder}/data/blobs/porter-store-id`);
    assert.equal((await porter.runCommand('cleanup')).code, 1);
    const unforced = await porter.runCommand('fsck', '--rejoin');
    assert.equal(unforced.code, 1);
    assert.match(unforced.stdout, /Database: .*File store: .*sampled uploads/s);
    assert.equal((await porter.runCommand('cleanup')).code, 1);
    assert.equal((await porter.runCommand('fsck', '--rejoin', '--force')).code, 0);
    assert.equal((await porter.runCommand('cleanup')).code, 0);
  });

  test('fsck finds a file without bytes and repairs the ledger', async () => {
    await storeFor(porter, 'fay@example.org');
    assert.equal((await porter.runCommand('fsck')).code, 0);
    const blobs = `${porter.folder}/data/blobs`;
    for (const name of await readdir(blobs)) {
      if (name.length === 2) await rm(`${blobs}/${name}`, { recursive: true });
    }
    const found = await porter.runCommand('fsck', '--json');
    assert.equal(found.code, 1);
    assert.ok(JSON.parse(found.stdout).list.some(({ kind }: { kind: string }) => kind === 'missing'));
    const refused = await porter.runCommand('fsck', '--repair');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /would remove or change \d+ of \d+ files.*--force/);
    assert.equal((await porter.runCommand('fsck', '--repair', '--force')).code, 0);
    assert.equal((await porter.runCommand('fsck')).code, 0);
    const get = await storeFor(porter, 'fay@example.org');
    assert.ok((await httpRequest(get)).body.equals(BODY));
  });
});

test('a read-only command creates no ledger', async () => {
  const folder = await createTemporaryFolder();
  const { code, stderr } = await runPorter(['stats'], { cwd: folder });
  assert.equal(code, 1);
  assert.match(stderr, /No ledger found at/);
  assert.deepEqual(await readdir(folder), []);
});

test('wrong usage exits with 2 and lists the valid choices', async () => {
  const folder = await createTemporaryFolder();
  for (const args of [
    ['uploads', '--state', 'lost'],
    ['forget', 'not a jid@'],
    ['delete'],
    ['cleanup', '--max-age', 'soon'],
    ['nonsense'],
  ]) {
    const { code, stderr } = await runPorter(args, { cwd: folder });
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.notEqual(stderr, '');
  }
});
