import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { type CutPoint, type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { getSlot, openSlotConfig, type PausedPut, type Slot, startPut } from '../support/slots.ts';

const COMMIT = 'commit\0';
const SIZE = 300_000;

describe('A PUT whose connection to PostgreSQL is cut', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  let proxy: PostgresProxy;
  let porter: PorterProcess;
  let url = '';
  before(async () => {
    postgres = await startPostgres();
    proxy = await startPostgresProxy(postgres.port);
    url = await postgres.createSchema();
    const proxied = new URL(url);
    proxied.port = String(proxy.port);
    porter = await startPorter({ config: { ...openSlotConfig, storage: { ledger: proxied.href } } });
  });
  after(async () => {
    await porter.remove();
    await proxy.close();
    await postgres.remove();
  });

  const stateOf = async ({ get }: Slot): Promise<string | undefined> => {
    const id = new URL(get).pathname.split('/').at(-2);
    const { rows } = await postgres.query(url, `select state from uploads where id = '${id}'`);
    return rows[0]?.state;
  };

  /** Starts a PUT, and resolves once it has its claim. */
  const startClaimed = async (slot: Slot, body: Buffer): Promise<PausedPut> => {
    const put = await startPut(slot.put, body, 200_000);
    await porter.program.waitFor('the claim', async () => (await stateOf(slot)) === 'receiving');
    return put;
  };

  /** The file can be read, a repeated PUT is answered like the first one, and rows, counters and files agree. */
  const assertStored = async (slot: Slot, body: Buffer) => {
    assert.equal(await stateOf(slot), 'stored');
    assert.ok((await httpRequest(slot.get)).body.equals(body));
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
    const other = await httpRequest(slot.put, { method: 'PUT', body: randomBytes(body.length) });
    assert.equal(other.status, 409);
    const { code, stdout, stderr } = await porter.runCommand('fsck');
    assert.equal(code, 0, stdout + stderr);
    const users = JSON.parse((await porter.runCommand('users', '--json')).stdout) as { bytes: number }[];
    const { rows } = await postgres.query(
      url,
      "select sum(size) as bytes from uploads where state = 'stored'",
    );
    assert.equal(users[0]?.bytes, Number(rows[0].bytes));
  };

  const points: [CutPoint, string][] = [
    ['before', 'before the server has it'],
    ['after', 'after the server has executed it'],
  ];
  for (const [point, when] of points) {
    test(`at its COMMIT, ${when}, is 201`, async () => {
      const body = randomBytes(SIZE);
      const slot = await getSlot(porter, { size: SIZE });
      const put = await startClaimed(slot, body);
      const cut = proxy.cutAt(COMMIT, point);
      const answer = put.finish();
      await cut;
      assert.equal((await answer).status, 201);
      await assertStored(slot, body);
    });

    test(`at its claim, ${when}, is 201`, async () => {
      const body = randomBytes(SIZE);
      const slot = await getSlot(porter, { size: SIZE });
      const cut = proxy.cutAt(COMMIT, point);
      const answer = httpRequest(slot.put, { method: 'PUT', body });
      await cut;
      assert.equal((await answer).status, 201);
      await assertStored(slot, body);
    });
  }

  for (const [point, when] of points) {
    test(`at the only COMMIT of a small file, ${when}, is 201`, async () => {
      const body = randomBytes(1000);
      const slot = await getSlot(porter, { size: body.length });
      const cut = proxy.cutAt(COMMIT, point);
      const answer = httpRequest(slot.put, { method: 'PUT', body });
      await cut;
      assert.equal((await answer).status, 201);
      await assertStored(slot, body);
    });
  }

  /** Cuts the next commit after the server has executed it, and keeps the server away until `answer` has come. */
  const keepAway = async (answer: Promise<{ readonly status: number }>, cut: Promise<void>) => {
    await cut;
    proxy.setDown(true);
    try {
      assert.equal((await answer).status, 500);
    } finally {
      proxy.setDown(false);
    }
  };

  test('at its COMMIT while the server stays away: the file is stored, and the next PUT is 201', async () => {
    const body = randomBytes(SIZE);
    const slot = await getSlot(porter, { size: SIZE });
    const put = await startClaimed(slot, body);
    const cut = proxy.cutAt(COMMIT, 'after');
    await keepAway(put.finish(), cut);
    await assertStored(slot, body);
  });

  test('at the only COMMIT of a small file while the server stays away: the file is stored, and the next PUT is 201', async () => {
    const body = randomBytes(1000);
    const slot = await getSlot(porter, { size: body.length });
    const cut = proxy.cutAt(COMMIT, 'after');
    await keepAway(httpRequest(slot.put, { method: 'PUT', body }), cut);
    await assertStored(slot, body);
  });

  test('at its claim while the server stays away: the claim is released, and the next PUT is 201', async () => {
    const body = randomBytes(SIZE);
    const slot = await getSlot(porter, { size: SIZE });
    const cut = proxy.cutAt(COMMIT, 'after');
    await keepAway(httpRequest(slot.put, { method: 'PUT', body }), cut);
    await porter.program.waitFor('the release', async () => (await stateOf(slot)) === 'issued');
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
    await assertStored(slot, body);
  });
});
