import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, glob, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { httpRequest, openRequest, readResponse } from '../../support/http.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { runDoctor } from '../support/run-doctor.ts';
import { getSlot, openSlotConfig, sendSlotRequest, uploadFile } from '../support/slots.ts';
import { mountTmpfs, needsMount, type TmpfsMount } from '../support/tmpfs.ts';

const MB = 1_000_000;

/** Runs Porter with its blobs, and optionally its ledger, on a file system of `megabytes`. */
async function withSmallDisk(
  megabytes: number,
  work: (porter: PorterProcess, disk: TmpfsMount) => Promise<void>,
  {
    ledger = './porter.db',
    reserve,
    ...config
  }: { ledger?: string; reserve?: string; retention?: object } = {},
): Promise<void> {
  const folder = await createTemporaryFolder();
  const disk = await mountTmpfs(join(folder, 'disk'), megabytes);
  try {
    const storage = { blobs: './disk/blobs', ledger, ...(reserve && { reserve }) };
    const porter = await startPorter({ folder, config: { ...openSlotConfig, ...config, storage } });
    await work(porter, disk).finally(() => porter.stop());
  } finally {
    await disk.remove();
    await rm(folder, { recursive: true });
  }
}

/** Returns the bytes of all files but the marker that ties the store to its ledger. */
async function bytesBelow(folder: string): Promise<number> {
  let sum = 0;
  for await (const file of glob('**', { cwd: folder })) {
    if (basename(file) === 'porter-store-id') continue;
    const found = await stat(join(folder, file));
    if (found.isFile()) sum += found.size;
  }
  return sum;
}

/** Takes the last byte of the disk. */
async function fillDisk(disk: TmpfsMount): Promise<void> {
  for (const size of [MB, 4096, 1]) {
    const write = async () => {
      for (;;) await appendFile(join(disk.path, 'filler'), Buffer.alloc(size));
    };
    await assert.rejects(write(), { code: 'ENOSPC' });
  }
}

describe('A disk', { skip: needsMount() }, () => {
  test('that is full: PUT answers 507 with a reason, leaves nothing, and succeeds once there is space', () =>
    withSmallDisk(8, async (porter, disk) => {
      const small = randomBytes(3 * MB);
      const big = randomBytes(6 * MB);
      // Both fit when their slots are requested.
      const slot = await getSlot(porter, { size: big.length });
      const first = await uploadFile(porter, small);
      const refused = await httpRequest(slot.put, { method: 'PUT', body: big });
      assert.equal(refused.status, 507);
      assert.match(refused.text, /^[^\n/]+\n?$/);
      assert.equal((await httpRequest(slot.get)).status, 404);
      assert.equal(await bytesBelow(disk.path), small.length);
      assert.ok((await httpRequest(first)).body.equals(small));
      const fsck = await porter.runCommand('fsck');
      assert.equal(fsck.code, 0, fsck.stdout);

      assert.equal((await porter.runCommand('delete', first)).code, 0);
      await porter.program.waitFor('room for the file', async () => {
        const { status } = await httpRequest(slot.put, { method: 'PUT', body: big });
        return status === 201;
      });
      assert.ok((await httpRequest(slot.get)).body.equals(big));
    }));

  test('that is completely full, including the ledger: slots are refused with 507 until there is space', () =>
    withSmallDisk(
      4,
      async (porter, disk) => {
        const body = randomBytes(100_000);
        const get = await uploadFile(porter, body);
        const filler = join(disk.path, 'filler');
        await assert.rejects(writeFile(filler, Buffer.alloc(5 * MB)), { code: 'ENOSPC' });
        const refused = await sendSlotRequest(porter, { size: body.length });
        assert.deepEqual([refused.status, refused.text], [507, 'The server has no storage space left.\n']);
        assert.ok((await httpRequest(get)).body.equals(body));
        const doctor = await runDoctor(join(porter.folder, 'porter.yml'));
        const failed = doctor.findings.filter(({ state }) => state === 'fail').map(({ check }) => check);
        assert.ok(failed.includes('disk space for blobs'), doctor.output);
        assert.ok(failed.includes('disk space for the ledger'), doctor.output);
        await rm(filler);
        await porter.program.waitFor('room for a slot', async () => {
          const { status } = await sendSlotRequest(porter, { size: body.length });
          return status === 200;
        });
        await uploadFile(porter, body);
      },
      { ledger: './disk/porter.db' },
    ));

  test('with less than storage.reserve: slots and uploads get 507, downloads and removals work, and it is reported', () =>
    withSmallDisk(
      16,
      async (porter, disk) => {
        const body = randomBytes(100_000);
        const get = await uploadFile(porter, body);
        const slot = await getSlot(porter, { size: body.length });
        const tooLarge = await sendSlotRequest(porter, { size: 15 * MB });
        assert.deepEqual([tooLarge.status, tooLarge.text], [507, 'The server has no storage space left.\n']);

        const filler = join(disk.path, 'filler');
        await writeFile(filler, Buffer.alloc(14 * MB));
        await porter.program.waitFor('507 for a slot', async () => {
          const { status } = await sendSlotRequest(porter, { size: 1000 });
          return status === 507;
        });
        const put = await httpRequest(slot.put, { method: 'PUT', body });
        assert.deepEqual([put.status, put.text], [507, 'The server has no storage space left.\n']);
        const metrics = (await httpRequest(`${porter.url}/metrics`)).text;
        assert.match(metrics, /^porter_disk_below_reserve\{store="blobs"\} 1$/m);
        assert.match(metrics, /^porter_disk_below_reserve\{store="ledger"\} 0$/m);
        assert.match(porter.program.output, /less than storage\.reserve .* uploads are refused with 507/);

        assert.ok((await httpRequest(get)).body.equals(body));
        assert.equal((await porter.runCommand('delete', get)).code, 0);
        await rm(filler);
        await porter.program.waitFor('room for a slot', async () => {
          const { status } = await sendSlotRequest(porter, { size: 1000 });
          return status === 200;
        });
        assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
      },
      { reserve: '4 MiB' },
    ));

  describe('that other programs have filled completely, with the ledger on it', () => {
    const removals = {
      'porter delete': (porter: PorterProcess, get: string) => porter.runCommand('delete', get),
      'porter forget': (porter: PorterProcess) => porter.runCommand('forget', 'romeo@example.org', '--force'),
      'porter cleanup': (porter: PorterProcess) => porter.runCommand('cleanup', '--max-age', '0s', '--force'),
    };
    for (const [name, remove] of Object.entries(removals)) {
      for (const restarted of [false, true]) {
        test(`${name} frees space ${restarted ? 'after a restart' : 'beside the server'}`, () =>
          withSmallDisk(
            32,
            async (porter, disk) => {
              const get = await uploadFile(porter, randomBytes(2 * MB));
              await porter.program.waitFor('the ballast', () =>
                existsSync(join(disk.path, 'porter.db-ballast/4')),
              );
              if (restarted) await porter.stop();
              await fillDisk(disk);
              if (restarted) {
                const { folder, port } = porter;
                const config = await readFile(join(folder, 'porter.yml'), 'utf8');
                const again = await startPorter({ folder, port, config });
                try {
                  await assertFrees(again, get, remove);
                } finally {
                  await again.stop();
                }
              } else {
                await assertFrees(porter, get, remove);
              }
            },
            { ledger: './disk/porter.db' },
          ));
      }
    }

    async function assertFrees(
      porter: PorterProcess,
      get: string,
      remove: (porter: PorterProcess, get: string) => ReturnType<PorterProcess['runCommand']>,
    ): Promise<void> {
      assert.equal((await httpRequest(get)).status, 200);
      const { code, stdout, stderr } = await remove(porter, get);
      assert.equal(code, 0, stdout + stderr);
      assert.equal(await bytesBelow(join(porter.folder, 'disk/blobs')), 0);
      await porter.program.waitFor('room for an upload', async () => {
        const { status } = await sendSlotRequest(porter, { size: 100_000 });
        return status === 200;
      });
      await uploadFile(porter, randomBytes(100_000));
    }
  });

  test('that has become read-only: /readyz reports it, files are still served, and Porter recovers without a restart', () =>
    withSmallDisk(8, async (porter, disk) => {
      const body = randomBytes(100_000);
      const get = await uploadFile(porter, body);
      assert.equal((await httpRequest(`${porter.url}/readyz`)).status, 200);
      await disk.makeReadOnly();
      const ready = () => httpRequest(`${porter.url}/readyz`);
      await porter.program.waitFor('503', async () => (await ready()).status === 503);
      const { reasons } = JSON.parse((await ready()).text);
      assert.deepEqual(
        reasons.map(({ part }: { part: string }) => part),
        ['blobs'],
      );
      assert.doesNotMatch(JSON.stringify(reasons), /porter-test/);
      assert.ok((await httpRequest(get)).body.equals(body));
      const slot = await getSlot(porter, { size: body.length });
      const refused = await httpRequest(slot.put, { method: 'PUT', body });
      assert.equal(refused.status, 500);
      assert.match(
        (await httpRequest(`${porter.url}/metrics`)).text,
        /^porter_refusals_total\{endpoint="slot_api",reason="internal"\} 1$/m,
      );
      assert.doesNotMatch(refused.text, /porter-test/);
      await disk.makeWritable();
      await porter.program.waitFor('200', async () => (await ready()).status === 200);
      assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
    }));
});

test('an upload of a gigabyte needs no more memory than a small one', {
  skip: process.platform === 'linux' ? false : 'needs /proc',
}, async () => {
  const porter = await startPorter({ config: openSlotConfig });
  try {
    await uploadFile(porter, randomBytes(100_000));
    const chunk = randomBytes(MB);
    const size = 1000 * MB;
    const slot = await getSlot(porter, { size });
    const request = openRequest(slot.put, { method: 'PUT', headers: { 'Content-Length': size } });
    const answered = readResponse(request);
    for (let sent = 0; sent < size; sent += MB) {
      if (!request.write(chunk)) await once(request, 'drain');
    }
    request.end();
    assert.equal((await answered).status, 201);
    assert.ok((await peakMemory(porter)) < 200 * MB, `${await peakMemory(porter)} bytes at the most`);
    const end = await httpRequest(slot.get, { headers: { Range: 'bytes=-1000000' } });
    assert.ok(end.body.equals(chunk));
  } finally {
    await porter.remove();
  }
});

/** The peak resident memory of the process, bytes. */
async function peakMemory({ program }: PorterProcess): Promise<number> {
  const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
