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

/** A Porter whose connections to PostgreSQL pass a proxy. */
interface Testbed {
  readonly proxy: PostgresProxy;
  readonly porter: PorterProcess;
  stateOf(slot: Slot): Promise<string | undefined>;
  /** Starts a PUT, and resolves once it has its claim. */
  startClaimed(slot: Slot, body: Buffer): Promise<PausedPut>;
  /** Asserts that the file can be read, a repeated PUT is answered like the first one, and rows, counters and files agree. */
  assertStored(slot: Slot, body: Buffer): Promise<void>;
  remove(): Promise<void>;
}

async function startTestbed(postgres: PostgresServer): Promise<Testbed> {
  const proxy = await startPostgresProxy(postgres.port);
  const url = await postgres.createSchema();
  const proxied = new URL(url);
  proxied.port = String(proxy.port);
  const porter = await startPorter({ config: { ...openSlotConfig, storage: { ledger: proxied.href } } });

  const stateOf = async ({ get }: Slot): Promise<string | undefined> => {
    const id = new URL(get).pathname.split('/').at(-2);
    const { rows } = await postgres.query(url, `select state from uploads where id = '${id}'`);
    return rows[0]?.state;
  };
  return {
    proxy,
    porter,
    stateOf,
    async startClaimed(slot, body) {
      const put = await startPut(slot.put, body, 200_000);
      await porter.program.waitFor('the claim', async () => (await stateOf(slot)) === 'receiving');
      return put;
    },
    async assertStored(slot, body) {
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
    },
    async remove() {
      await porter.remove();
      await proxy.close();
    },
  };
}

describe('A PUT whose connection to PostgreSQL is cut', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  let testbed: Testbed;
  before(async () => {
    postgres = await startPostgres();
    testbed = await startTestbed(postgres);
  });
  after(async () => {
    await testbed.remove();
    await postgres.remove();
  });

  const points: [CutPoint, string][] = [
    ['before', 'before the server has it'],
    ['after', 'after the server has executed it'],
  ];
  for (const [point, when] of points) {
    test(`at its COMMIT, ${when}, is 201`, async () => {
      const { porter, proxy, startClaimed, assertStored } = testbed;
      const body = randomBytes(SIZE);
      const slot = await getSlot(porter, { size: SIZE });
      const put = await startClaimed(slot, body);
      const cut = proxy.cutAt(COMMIT, point);
      const answer = put.finish();
      await cut;
      assert.equal((await answer).status, 201);
      await assertStored(slot, body);
    });

    for (const [commit, size] of [
      ['claim', SIZE],
      ['only COMMIT of a small file', 1000],
    ] as const) {
      test(`at ${commit === 'claim' ? 'its' : 'the'} ${commit}, ${when}, is 201`, async () => {
        const { porter, proxy, assertStored } = testbed;
        const body = randomBytes(size);
        const slot = await getSlot(porter, { size });
        const cut = proxy.cutAt(COMMIT, point);
        const answer = httpRequest(slot.put, { method: 'PUT', body });
        await cut;
        assert.equal((await answer).status, 201);
        await assertStored(slot, body);
      });
    }
  }

  // Each waits for 40 s, so they wait at the same time, each with its own testbed.
  describe('while the server stays away', { concurrency: true }, () => {
    const testAway = (name: string, run: (testbed: Testbed) => Promise<void>) =>
      test(name, async (t) => {
        const own = await startTestbed(postgres);
        t.after(() => own.remove());
        await run(own);
      });

    /** Cuts the next commit after the server has executed it, and keeps the server away until the answer has come. */
    const failAway = async ({ proxy }: Testbed, put: () => Promise<{ readonly status: number }>) => {
      const cut = proxy.cutAt(COMMIT, 'after');
      const answer = put();
      await cut;
      proxy.setDown(true);
      try {
        assert.equal((await answer).status, 500);
      } finally {
        proxy.setDown(false);
      }
    };

    testAway('at its COMMIT: the file is stored, and the next PUT is 201', async (own) => {
      const body = randomBytes(SIZE);
      const slot = await getSlot(own.porter, { size: SIZE });
      const put = await own.startClaimed(slot, body);
      await failAway(own, () => put.finish());
      await own.assertStored(slot, body);
    });

    testAway(
      'at the only COMMIT of a small file: the file is stored, and the next PUT is 201',
      async (own) => {
        const body = randomBytes(1000);
        const slot = await getSlot(own.porter, { size: body.length });
        await failAway(own, () => httpRequest(slot.put, { method: 'PUT', body }));
        await own.assertStored(slot, body);
      },
    );

    testAway('at its claim: the claim is released, and the next PUT is 201', async (own) => {
      const body = randomBytes(SIZE);
      const slot = await getSlot(own.porter, { size: SIZE });
      await failAway(own, () => httpRequest(slot.put, { method: 'PUT', body }));
      await own.porter.program.waitFor('the release', async () => (await own.stateOf(slot)) === 'issued');
      assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
      await own.assertStored(slot, body);
    });
  });
});
