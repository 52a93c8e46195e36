import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { glob, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { letTimePass } from '../support/let-time-pass.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { getSlot, openSlotConfig, startPut, uploadFile, waitForTransfers } from '../support/slots.ts';

/** Runs Porter for the duration of one test. */
async function withPorter(
  config: Record<string, unknown>,
  work: (porter: PorterProcess) => Promise<PorterProcess | undefined>,
): Promise<void> {
  const porter = await startPorter({ config });
  let last: PorterProcess | undefined;
  try {
    last = await work(porter);
  } finally {
    await (last ?? porter).remove();
  }
}

/** Starts Porter again in the same folder and on the same port. */
function again({ folder, port }: PorterProcess, config: Record<string, unknown>): Promise<PorterProcess> {
  return startPorter({ folder, port, config });
}

async function blobFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob('data/blobs/*/*', { cwd: folder })) {
    if ((await stat(join(folder, file))).isFile()) found.push(file);
  }
  return found;
}

async function assertSound(porter: PorterProcess): Promise<void> {
  const { code, stdout, stderr } = await porter.runCommand('fsck');
  assert.equal(code, 0, stdout + stderr);
}

test('a restart keeps files and open slots', () =>
  withPorter(openSlotConfig, async (first) => {
    const body = randomBytes(300_000);
    const get = await uploadFile(first, body);
    const slot = await getSlot(first, { size: body.length });
    assert.deepEqual(await first.stop(), { code: 0, signal: null });

    const second = await again(first, openSlotConfig);
    assert.ok((await httpRequest(get)).body.equals(body));
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
    return second;
  }));

test('a kill during many uploads loses no acknowledged one and leaves nothing of the others, which can be sent again', () =>
  withPorter({ ...openSlotConfig, slots: { timeout: '10m' } }, async (first) => {
    const body = randomBytes(2_000_000);
    const stalled = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const slot = await getSlot(first, { size: body.length });
        return { slot, put: await startPut(slot.put, body, 1_500_000) };
      }),
    );
    await waitForTransfers(first, stalled.length);
    // Some of these uploads are acknowledged before the kill, and some are not.
    const stored: string[] = [];
    const streams = Array.from({ length: 4 }, async () => {
      for (;;) stored.push(await uploadFile(first, body));
    });
    const ended = Promise.allSettled(streams);
    await first.program.waitFor('answers', () => stored.length >= 12);
    await first.stop('SIGKILL');
    await ended;
    for (const { put } of stalled) put.destroy();
    const spool = join(first.folder, 'data/blobs/spool');
    await mkdir(spool);
    await writeFile(join(spool, 'left'), body);

    const second = await again(first, openSlotConfig);
    for (const get of stored) assert.ok((await httpRequest(get)).body.equals(body), get);
    for (const { slot } of stalled) assert.equal((await httpRequest(slot.get)).status, 404);
    await waitUntil(async () => (await readdir(spool)).length === 0);
    await assertSound(second);
    const [retried] = stalled;
    assert.ok(retried);
    assert.equal((await httpRequest(retried.slot.put, { method: 'PUT', body })).status, 201);
    stored.push(retried.slot.get);

    letTimePass(second.folder, 11 * 60_000);
    const cleanup = await second.runCommand('cleanup');
    assert.equal(cleanup.code, 0, cleanup.stderr);
    await assertSound(second);
    const listed = JSON.parse((await second.runCommand('uploads', '--json')).stdout) as { state: string }[];
    assert.ok(listed.every(({ state }) => state === 'uploaded'));
    assert.equal((await blobFiles(second.folder)).length, listed.length);
    for (const get of stored) assert.ok((await httpRequest(get)).body.equals(body), get);
    return second;
  }));

/** Sends SIGTERM during an upload whose last 100 KB have not arrived. */
async function stopDuringPut(porter: PorterProcess) {
  const body = randomBytes(500_000);
  const slot = await getSlot(porter, { size: body.length });
  const put = await startPut(slot.put, body, 400_000);
  await waitForTransfers(porter, 1);
  porter.program.signal('SIGTERM');
  return { body, slot, put };
}

test('SIGTERM finishes an upload in progress, accepts no new one, and exits with 0', () =>
  withPorter(openSlotConfig, async (porter) => {
    const { body, slot, put } = await stopDuringPut(porter);
    await porter.program.waitFor('the end of listening', () =>
      httpRequest(`${porter.url}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    assert.ok(porter.program.running);
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await porter.program.exited(), { code: 0, signal: null });
    const second = await again(porter, openSlotConfig);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
    return second;
  }));

test('a second SIGTERM exits at once, and the incomplete upload leaves nothing', () =>
  withPorter(openSlotConfig, async (porter) => {
    const { slot, put } = await stopDuringPut(porter);
    await porter.program.waitFor('the first signal', () => /"stopping"/.test(porter.program.output));
    porter.program.signal('SIGTERM');
    assert.deepEqual(await porter.program.exited(), { code: 1, signal: null });
    put.destroy();
    const second = await again(porter, openSlotConfig);
    assert.equal((await httpRequest(slot.get)).status, 404);
    await assertSound(second);
    return second;
  }));

test('SIGHUP applies new rules; an invalid file changes nothing and is reported', () =>
  withPorter(openSlotConfig, async (porter) => {
    const maxSize = async () =>
      (await httpRequest(`${porter.url}/slot/max_size/?jid=romeo@example.org`)).text.trim();
    assert.equal(await maxSize(), '0');

    await porter.writeConfig({ ...openSlotConfig, access: [{ jid: '.*', max_file_size: '1 MiB' }] });
    porter.program.signal('SIGHUP');
    await porter.program.waitFor('the new rule', async () => (await maxSize()) === '1048576');

    await porter.writeConfig({ ...openSlotConfig, acces: [] });
    porter.program.signal('SIGHUP');
    await porter.program.waitFor('the reason', () => /acces\b/.test(porter.program.output));
    assert.equal(await maxSize(), '1048576');
    assert.ok(porter.program.running);

    await porter.writeConfig(openSlotConfig);
    porter.program.signal('SIGHUP');
    await porter.program.waitFor('the old rule', async () => (await maxSize()) === '0');
  }));

test('SIGHUP never ends the process, neither during startup nor during shutdown', () =>
  withPorter(openSlotConfig, async (porter) => {
    const { program } = porter;
    // The server has just started to listen.
    program.signal('SIGHUP');
    await program.waitFor('the reload', () => /config reloaded/.test(program.output));
    const slot = await getSlot(porter, { size: 500_000 });
    const put = await startPut(slot.put, Buffer.alloc(500_000), 100_000);
    await waitForTransfers(porter, 1);
    program.signal('SIGTERM');
    await program.waitFor('the end', () => /"stopping"/.test(program.output));
    program.signal('SIGHUP');
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  }));

test('SIGHUP does not interrupt an upload', () =>
  withPorter(openSlotConfig, async (porter) => {
    const body = randomBytes(500_000);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(porter, 1);
    porter.program.signal('SIGHUP');
    await porter.program.waitFor('the reload', () => /config reloaded/.test(porter.program.output));
    assert.equal((await put.finish()).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  }));
