import assert from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { checkFileOwners, mayAccess, READ, READ_WRITE } from '../../../src/doctor/file-owners.ts';
import { DoctorReport } from '../../../src/doctor/report.ts';

const PORTER = 998;
const PORTER_GROUP = 995;

describe('the access of the user that runs Porter', () => {
  const user = { uid: PORTER, gids: [PORTER_GROUP] };
  const file = (uid: number, gid: number, mode: number) => ({ uid, gid, mode });

  test('follows the bits of the owner, of the group or of others', () => {
    assert.equal(mayAccess(user, file(PORTER, 0, 0o600), READ_WRITE), true);
    assert.equal(mayAccess(user, file(PORTER, 0, 0o077), READ), false);
    assert.equal(mayAccess(user, file(0, PORTER_GROUP, 0o640), READ), true);
    assert.equal(mayAccess(user, file(0, PORTER_GROUP, 0o640), READ_WRITE), false);
    assert.equal(mayAccess(user, file(0, 0, 0o644), READ), true);
    assert.equal(mayAccess(user, file(0, 0, 0o600), READ), false);
    assert.equal(mayAccess({ uid: 0, gids: [0] }, file(PORTER, 0, 0), READ_WRITE), true);
  });
});

describe('files of another user', {
  skip: process.getuid?.() === 0 ? false : 'only root can create them',
}, () => {
  let folder = '';
  let blobs = '';
  let ledger = '';
  const give = (path: string) => chown(path, PORTER, PORTER_GROUP);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-owners-'));
    [blobs, ledger] = [join(folder, 'blobs'), join(folder, 'porter.db')];
    await mkdir(join(blobs, 'ab'), { recursive: true });
    await writeFile(join(blobs, 'ab', 'one.jpg'), 'x', { mode: 0o600 });
    await writeFile(ledger, '');
    for (const path of [folder, blobs, join(blobs, 'ab'), join(blobs, 'ab', 'one.jpg'), ledger])
      await give(path);
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function findings(): Promise<[state: string, text: string][]> {
    const report = new DoctorReport();
    await checkFileOwners(report, {
      storage: { blobs: { kind: 'folder', path: blobs }, ledger: { kind: 'sqlite', path: ledger } },
    } as unknown as Parameters<typeof checkFileOwners>[1]);
    return report.findings.map(({ state, text }) => [state, text]);
  }

  test('are none where everything belongs to the user of Porter', async () => {
    assert.deepEqual(
      (await findings()).map(([state]) => state),
      ['ok'],
    );
  });

  test('fail where that user cannot use them, with the command that helps', async () => {
    await writeFile(join(blobs, 'ab', 'two.jpg'), 'x', { mode: 0o600 });
    await mkdir(join(blobs, 'cd'), { mode: 0o755 });
    await writeFile(`${ledger}-wal`, '', { mode: 0o644 });
    const found = await findings();
    assert.deepEqual(
      found.map(([state]) => state),
      ['fail', 'fail', 'fail'],
    );
    const [wal, created, file] = found.map(([, text]) => text);
    assert.match(
      wal ?? '',
      /porter\.db-wal belongs to uid 0 \(mode 644\).*database fails\. Run: chown 998:995 .*-wal$/,
    );
    assert.match(created ?? '', /blobs\/cd belongs to uid 0 .*uploads fail\. Run: chown -R 998:995 .*blobs$/);
    assert.match(file ?? '', /two\.jpg belongs to uid 0 .*downloads fail/);
  });

  test('are accepted where the permissions suffice, as for hard links of an import', async () => {
    await writeFile(join(blobs, 'ab', 'linked.jpg'), 'x', { mode: 0o644 });
    assert.equal((await findings())[0]?.[0], 'ok');
    await chmod(join(blobs, 'ab', 'linked.jpg'), 0o640);
    assert.equal((await findings())[0]?.[0], 'fail');
  });
});
