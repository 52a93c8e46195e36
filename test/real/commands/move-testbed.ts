import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { MAIN } from '../../support/paths.ts';
import { DELETE_SECRET, SECRET, signDelete, signV } from '../../support/test-signed-links-server.ts';
import {
  createTemporaryFolder,
  type PorterProcess,
  runPorter,
  startPorter,
} from '../support/porter-process.ts';
import { Program } from '../support/program.ts';
import { getSlot, openSlotConfig, type Slot, sendSlotRequest } from '../support/slots.ts';

/** The `storage` section of a config. */
export interface StorageConfig {
  readonly ledger: string;
  readonly blobs: string;
}

export type Env = Readonly<Record<string, string>>;

const configFor = (storage: StorageConfig) => ({
  ...openSlotConfig,
  slots: { timeout: '1h' },
  external: { secret: SECRET, delete_secret: DELETE_SECRET, max_file_size: '10 MiB' },
  storage,
});

/** A service that moves to another storage. Its links stay valid, because the port stays the same. */
export interface MoveTestbed {
  porter: PorterProcess;
  /** The name of the target config, for `--to`. */
  readonly targetConfig: string;
  writeTargetConfig(storage: StorageConfig): Promise<void>;
  move(...args: readonly string[]): ReturnType<typeof runPorter>;
  /** Starts `porter move` without waiting for it. */
  startMove(...args: readonly string[]): Program;
  /** Restarts the server with the other config, as its admin does. */
  switchStorage(storage: StorageConfig): Promise<void>;
  remove(): Promise<void>;
}

export async function startMoveTestbed(storage: StorageConfig, env: Env = {}): Promise<MoveTestbed> {
  const porter = await startPorter({ config: configFor(storage), env });
  const { folder, port } = porter;
  const targetConfig = 'new.yml';
  const testbed: MoveTestbed = {
    porter,
    targetConfig,
    async writeTargetConfig(storage) {
      await writeFile(
        join(folder, targetConfig),
        JSON.stringify({ listen: `127.0.0.1:${port}`, ...configFor(storage) }),
      );
    },
    move: (...args) =>
      runPorter(['move', '-c', 'porter.yml', '--to', targetConfig, ...args], { cwd: folder, env }),
    startMove: (...args) =>
      new Program(process.execPath, [MAIN, 'move', '-c', 'porter.yml', '--to', targetConfig, ...args], {
        cwd: folder,
        env,
      }),
    async switchStorage(storage) {
      await testbed.porter.stop();
      testbed.porter = await startPorter({ folder, port, env, config: configFor(storage) });
    },
    remove: () => testbed.porter.remove(),
  };
  return testbed;
}

/** Files of all endpoints by link: stored files, deleted files, and a slot that waits for its PUT. */
export interface ExpectedFiles {
  readonly stored: Map<string, Buffer>;
  readonly deleted: Set<string>;
  readonly reserved: { readonly slot: Slot; readonly body: Buffer };
}

const bytes = (size = 2000) => randomBytes(size);
let count = 0;

async function putSlot(
  porter: PorterProcess,
  { stored }: Pick<ExpectedFiles, 'stored'>,
  body: Buffer,
): Promise<string> {
  count += 1;
  const slot = await getSlot(porter, { size: body.length, jid: `user${count % 7}@example.org` });
  assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
  stored.set(slot.get, body);
  return slot.get;
}

const signedPath = () => `${randomBytes(8).toString('hex')}/signed.bin`;

export const putSigned = ({ url }: PorterProcess, path: string, body: Buffer) =>
  httpRequest(`${url}/upload/${path}?v=${signV(path, body.length)}`, { method: 'PUT', body });

export const deleteSigned = ({ url }: PorterProcess, path: string) =>
  httpRequest(`${url}/upload/${path}?token=${signDelete(path)}`, { method: 'DELETE' });

/** Creates files and slots of every kind, before the move. */
export async function createFiles(porter: PorterProcess): Promise<ExpectedFiles> {
  const stored = new Map<string, Buffer>();
  const deleted = new Set<string>();
  for (const size of [1, 2000, 300_000]) await putSlot(porter, { stored }, bytes(size));
  for (const keep of [true, false]) {
    const [path, body] = [signedPath(), bytes()];
    assert.equal((await putSigned(porter, path, body)).status, 201);
    const link = `${porter.url}/upload/${path}`;
    if (keep) stored.set(link, body);
    else assert.equal((await deleteSigned(porter, path)).status, 204);
    if (!keep) deleted.add(link);
  }
  await importOld(porter, stored);
  const body = bytes();
  return { stored, deleted, reserved: { slot: await getSlot(porter, { size: body.length }), body } };
}

/** Imports a file of another service, with its old link. */
async function importOld(porter: PorterProcess, there: Map<string, Buffer>): Promise<void> {
  const old = await createTemporaryFolder();
  const body = bytes();
  await mkdir(join(old, 'before'));
  await writeFile(join(old, 'before/old.txt'), body);
  const { code, stderr } = await porter.runCommand(
    'import',
    '--from',
    'prosody-filer',
    '--base-path',
    '/old/',
    old,
  );
  assert.equal(code, 0, stderr);
  there.set(`${porter.url}/old/before/old.txt`, body);
  await rm(old, { recursive: true });
}

/** Continuous uploads, deletions and downloads, until stopped. */
export interface UserTraffic {
  /** The number of uploads answered with 201 so far. */
  readonly stored: () => number;
  /** The number of requests answered with 503 so far. */
  readonly retried: () => number;
  stop(): Promise<void>;
}

/** Starts traffic that updates `files`. Fails if a file is not served between its 201 and its deletion. */
export function startTraffic(testbed: MoveTestbed, { stored: there, deleted }: ExpectedFiles): UserTraffic {
  let [stopping, stored, later] = [false, 0, 0];
  const isLater = (status: number) => {
    if (status === 503) later += 1;
    return status === 503;
  };
  const upload = async () => {
    const body = bytes();
    const { status, text } = await sendSlotRequest(testbed.porter, {
      size: body.length,
      jid: 'busy@example.org',
    });
    if (isLater(status)) return;
    assert.equal(status, 200, text);
    const [put = '', get = ''] = text.split('\n');
    const answer = await httpRequest(put, { method: 'PUT', body });
    if (isLater(answer.status)) return;
    assert.equal(answer.status, 201, answer.text);
    there.set(get, body);
    stored += 1;
  };
  const uploadAndDelete = async () => {
    const [path, body] = [signedPath(), bytes()];
    const link = `${testbed.porter.url}/upload/${path}`;
    if (isLater((await putSigned(testbed.porter, path, body)).status)) return;
    const { status } = await deleteSigned(testbed.porter, path);
    if (isLater(status)) there.set(link, body);
    else deleted.add(link);
  };
  const fetchOne = async () => {
    const links = [...there.keys()];
    const link = links[Math.floor(Math.random() * links.length)] ?? '';
    const { status, body } = await httpRequest(link);
    assert.equal(status, 200, link);
    assert.ok(body.equals(there.get(link) ?? Buffer.alloc(0)), link);
  };
  const clients = [upload, upload, uploadAndDelete, fetchOne].map(async (act) => {
    while (!stopping) {
      await act();
      await sleep(10);
    }
  });
  const all = Promise.all(clients);
  all.catch(() => undefined);
  return {
    stored: () => stored,
    retried: () => later,
    async stop() {
      stopping = true;
      await all;
    },
  };
}

/** Checks that all stored files are served byte for byte by their old links, and that deleted ones are gone. */
export async function assertFilesIntact({ stored, deleted }: ExpectedFiles): Promise<void> {
  for (const [link, body] of stored) {
    const answer = await httpRequest(link);
    assert.equal(answer.status, 200, link);
    assert.ok(answer.body.equals(body), link);
  }
  for (const link of deleted) assert.equal((await httpRequest(link)).status, 404, link);
}

/** Checks that the link of a deleted file accepts no new upload. */
export async function assertDeletedStayDeleted(
  porter: PorterProcess,
  { deleted }: ExpectedFiles,
): Promise<void> {
  const [link = ''] = deleted;
  const again = await putSigned(porter, link.slice(`${porter.url}/upload/`.length), bytes());
  assert.equal(again.status, 409, again.text);
}

export async function assertFsckClean(testbed: MoveTestbed, env: Env = {}): Promise<void> {
  const { code, stdout, stderr } = await runPorter(['fsck', '-c', 'porter.yml'], {
    cwd: testbed.porter.folder,
    env,
  });
  assert.equal(code, 0, stdout + stderr);
}
