import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { httpRequest, sendRequest } from '../../support/http.ts';
import { type ResumableClient, resumableClient } from '../../support/resumable-client.ts';
import { readLog, servingWorkers } from '../cluster/worker-log.ts';
import { beginAppend } from '../support/begin-append.ts';
import { letTimePass } from '../support/let-time-pass.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { getSlot, openSlotConfig, type Slot, sendSlotRequest, waitForTransfers } from '../support/slots.ts';

const MIB = 1024 * 1024;
// The connections of the test come from a trusted proxy.
const config = {
  ...openSlotConfig,
  workers: 2,
  uploads: { interim_responses: 'always' },
  access: [{ jid: '.*', max_total_size: '40 MiB' }],
};

const targetOf = (link: string) => new URL(link).pathname;

/** A connection to one worker. */
interface Connection {
  readonly agent: Agent;
  readonly client: ResumableClient;
}

describe('A resumable upload at two workers with SQLite and a folder', () => {
  let porter: PorterProcess;
  const start = async (at?: PorterProcess) => {
    porter = await startPorter({ config, ...(at && { folder: at.folder, port: at.port }) });
    await porter.program.waitFor('both workers', () => servingWorkers(porter.program).size === 2);
  };
  before(() => start());
  after(() => porter.remove());

  /** Opens a connection to each worker. The log shows which of them has stored a file of which size. */
  async function connect(agents: Agent[]): Promise<[Connection, Connection]> {
    const clients = new Map<number, Connection>();
    for (let size = 1; clients.size < 2; size += 1) {
      assert.ok(size < 50, 'only one worker answers');
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      agents.push(agent);
      const { put } = await getSlot(porter, { size, jid: 'probe@example.org' });
      const to = { port: porter.port, host: '127.0.0.1', agent };
      await sendRequest(to, targetOf(put), { method: 'PUT', body: Buffer.alloc(size) });
      const stored = () =>
        readLog(porter.program).find((line) => line.msg === 'upload stored' && line.size === size);
      await porter.program.waitFor('the log of the upload', () => stored() !== undefined);
      clients.set(stored()?.worker ?? 0, { agent, client: resumableClient(porter.port, '8', agent) });
    }
    return [...clients.values()] as [Connection, Connection];
  }

  async function begin(
    client: ResumableClient,
    slot: Slot,
    bytes: Uint8Array,
    length: number,
  ): Promise<string> {
    const created = await client.create(targetOf(slot.put), { bytes, complete: false, length });
    assert.deepEqual([created.status, created.offset], [201, bytes.length]);
    return created.resource ?? '';
  }

  test('goes on at another worker, which ends the request that the first one still reads', async (t) => {
    const agents: Agent[] = [];
    t.after(() => agents.forEach((agent) => void agent.destroy()));
    const [{ client: one, agent }, { client: other }] = await connect(agents);
    const body = randomBytes(3 * MIB);
    const slot = await getSlot(porter, { size: body.length });
    const resource = await begin(one, slot, body.subarray(0, MIB), body.length);
    const append = beginAppend(porter.url + resource, {
      offset: MIB,
      size: body.length,
      bytes: body.subarray(MIB, MIB + 1000),
      agent,
    });
    await waitForTransfers(porter, 1);
    const state = await other.head(resource);
    assert.equal(state.status, 204);
    await porter.program.waitFor('the end of the first request', () => append.status() === 409);
    const { offset = 0 } = state;
    assert.ok(offset === MIB || offset === MIB + 1000, String(offset));
    const part = body.subarray(offset, 2 * MIB);
    assert.equal((await other.append(resource, { offset, bytes: part, complete: false })).status, 204);
    const rest = { offset: 2 * MIB, bytes: body.subarray(2 * MIB), complete: true };
    assert.equal((await one.append(resource, rest)).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
    const end = await other.head(resource);
    assert.deepEqual([end.complete, end.offset], [true, body.length]);
  });

  test('goes on after a kill with the bytes that were durable, and is charged and kept until its time is over', async () => {
    const client = resumableClient(porter.port, '8');
    const body = randomBytes(20 * MIB);
    const jid = 'juliet@example.org';
    const slot = await getSlot(porter, { size: body.length, jid });
    const resource = await begin(client, slot, new Uint8Array(), body.length);
    const abandoned = await getSlot(porter, { size: 15 * MIB, jid });
    const left = await begin(client, abandoned, body.subarray(0, MIB), 15 * MIB);
    const append = beginAppend(porter.url + resource, {
      offset: 0,
      size: body.length,
      bytes: body.subarray(0, 12 * MIB),
    });
    await porter.program.waitFor('durable bytes', () => append.durable() >= 8 * MIB);
    await porter.stop('SIGKILL');
    append.destroy();
    await start(porter);

    const { status, offset = 0, complete } = await client.head(resource);
    assert.deepEqual([status, complete], [204, false]);
    assert.ok(offset >= append.durable() && offset <= 12 * MIB, String(offset));
    assert.equal(
      (await sendSlotRequest(porter, { size: 6 * MIB, jid })).status,
      402,
      '35 of 40 MiB are charged',
    );
    const sound = await porter.runCommand('fsck');
    assert.equal(sound.code, 0, sound.stdout + sound.stderr);
    const rest = { offset, bytes: body.subarray(offset), complete: true };
    assert.equal((await client.append(resource, rest)).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));

    assert.equal((await client.head(left)).offset, MIB);
    letTimePass(porter.folder, 61 * 60_000);
    assert.equal((await client.head(left)).status, 404);
    const cleanup = await porter.runCommand('cleanup');
    assert.equal(cleanup.code, 0, cleanup.stderr);
    assert.equal(
      (await sendSlotRequest(porter, { size: 19 * MIB, jid })).status,
      200,
      'only the file is charged',
    );
    assert.deepEqual(await largeFiles(porter), [body.length]);
  });
});

/** Returns the sizes of stored files that are no probes. */
async function largeFiles({ folder }: PorterProcess): Promise<number[]> {
  const blobs = join(folder, 'data/blobs');
  const names = await readdir(blobs, { recursive: true });
  const found = await Promise.all(names.map((name) => stat(join(blobs, name))));
  return found
    .filter((file) => file.isFile() && file.size >= MIB && file.size !== 3 * MIB)
    .map(({ size }) => size);
}
