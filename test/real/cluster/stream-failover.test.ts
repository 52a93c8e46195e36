import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { startProsody } from '../peers/prosody.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import type { Slot } from '../support/slots.ts';
import { startInstances } from './start-instances.ts';
import { leaderPid, readLog, servingWorkers } from './worker-log.ts';

const UPLOAD = 'upload.localhost';
const SECRET = 'a secret of twenty characters';
const PASSWORD = 'pw';

/** What serves together, and which process of it holds the stream. */
interface House {
  readonly porters: readonly PorterProcess[];
  /** Kills the process that holds the stream, wherever it is. */
  killHolder(): void;
}

describe('the component stream of several processes', { skip: needs('prosody', 'slixmpp') }, () => {
  let server: XmppServer;
  let romeo: SlixmppClient;
  before(async () => {
    server = await startProsody({ components: [{ jid: UPLOAD, secret: SECRET }] });
    await server.register('romeo', PASSWORD);
    romeo = await login();
  });
  after(async () => {
    await romeo?.logout();
    await server?.stop();
  });

  const login = () =>
    SlixmppClient.login({ jid: 'romeo@localhost', password: PASSWORD, port: server.clientPort });
  const settings = () => ({
    public_url: 'http://upload.example.org',
    component: { jid: UPLOAD, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
    access: [{ jid: '.*' }],
  });

  async function startWorkers(t: TestContext, storage: object): Promise<House> {
    const porter = await startPorter({ config: { ...settings(), ...storage, workers: 2 } });
    t.after(() => porter.remove());
    const { program } = porter;
    await program.waitFor('both workers', () => servingWorkers(program).size === 2);
    return { porters: [porter], killHolder: () => void process.kill(leaderPid(program), 'SIGKILL') };
  }

  async function startTwo(t: TestContext, ledger: string): Promise<House> {
    const instances = await startInstances({ ledger, config: settings() });
    t.after(() => instances.remove());
    const killHolder = () => {
      const ups = instances.all.flatMap(({ program }) =>
        readLog(program).filter(({ msg }) => msg === 'component stream is up'),
      );
      process.kill(ups.at(-1)?.pid ?? 0, 'SIGKILL');
    };
    return { porters: instances.all, killHolder };
  }

  /** What `/readyz` says, asked on so many connections that every process is among those asked. */
  const readiness = async (porters: readonly PorterProcess[]): Promise<Set<number>> => {
    const living = porters.filter(({ program }) => program.running);
    const asked = living.flatMap(({ url }) =>
      Array.from({ length: 12 }, async () => (await httpRequest(`${url}/readyz`)).status),
    );
    return new Set(await Promise.all(asked));
  };

  const until = async (what: string, holds: () => Promise<boolean>) => {
    const deadline = Date.now() + 60_000;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`${what} did not come`);
      await sleep(20);
    }
  };
  const allSay = (porters: readonly PorterProcess[], status: number) =>
    until(`${status} everywhere`, async () => {
      const said = await readiness(porters);
      return said.size === 1 && said.has(status);
    });

  const askSlot = async () => {
    const slot = await romeo.run<Partial<Slot>>('slot', { jid: UPLOAD, name: 'a.txt', size: 5 });
    assert.ok(slot.put !== undefined && slot.get !== undefined, JSON.stringify(slot));
    return slot as Slot;
  };

  /** Asks again and again: what was on its way to the one that was killed is never answered. */
  const slotAfterKill = async () => {
    let granted = false;
    await until('a slot after the kill', async () => {
      askSlot().then(
        () => {
          granted = true;
        },
        () => {},
      );
      for (let tries = 0; !granted && tries < 10; tries += 1) await sleep(20);
      return granted;
    });
  };

  /** A slot of before and one of after are filled at whoever is left. */
  async function assertTakeover(t: TestContext, { porters, killHolder }: House): Promise<void> {
    await allSay(porters, 200);
    const before = await askSlot();
    const killed = performance.now();
    killHolder();
    await slotAfterKill();
    t.diagnostic(`slots again ${Math.round(performance.now() - killed)} ms after the kill`);
    const left = porters.find(({ program }) => program.running);
    assert.ok(left);
    const here = (link: string) => new URL(new URL(link).pathname, left.url).href;
    for (const { put, get } of [before, await askSlot()]) {
      const stored = () => httpRequest(here(put), { method: 'PUT', body: 'adieu' });
      // A worker's connections die with it; clients try again.
      const answer = await stored().catch(stored);
      assert.equal(answer.status, 201, answer.text);
      assert.equal((await httpRequest(here(get))).text, 'adieu');
    }
    await allSay(porters, 200);
  }

  /** Every process tells of a stream that another holds. */
  async function assertTruth({ porters }: House): Promise<void> {
    await allSay(porters, 200);
    await romeo.logout();
    await server.kill();
    await allSay(porters, 503);
    await server.start();
    await allSay(porters, 200);
    romeo = await login();
    await askSlot();
  }

  describe('workers at one SQLite', () => {
    test('is taken over when its holder is killed', async (t) =>
      assertTakeover(t, await startWorkers(t, {})));
    test('is told of by all of them', async (t) => assertTruth(await startWorkers(t, {})));
    test('shows in the metrics once, with the state it has', async (t) => {
      const { porters } = await startWorkers(t, {});
      await allSay(porters, 200);
      const metrics = () => httpRequest(`${porters[0]?.url}/metrics`);
      const texts = await Promise.all(Array.from({ length: 12 }, async () => (await metrics()).text));
      for (const text of texts) assert.match(text, /^porter_stream_up\{jid="upload\.localhost"\} 1$/m);
    });
  });

  describe('at one PostgreSQL', { skip: needs('postgresql') }, () => {
    let postgres: PostgresServer;
    before(async () => {
      postgres = await startPostgres();
    });
    after(() => postgres?.remove());

    test('is taken over by a worker when its holder is killed', async (t) =>
      assertTakeover(t, await startWorkers(t, { storage: { ledger: await postgres.createSchema() } })));
    test('is taken over by another instance when its holder is killed', async (t) =>
      assertTakeover(t, await startTwo(t, await postgres.createSchema())));
    test('is told of by all instances', async (t) =>
      assertTruth(await startTwo(t, await postgres.createSchema())));

    test('comes back after PostgreSQL was killed, and is held by one', async (t) => {
      const { porters } = await startTwo(t, await postgres.createSchema());
      await allSay(porters, 200);
      await postgres.kill();
      await allSay(porters, 503);
      await postgres.start();
      await allSay(porters, 200);
      await askSlot();
      const metrics = await Promise.all(
        porters.map(async ({ url }) => (await httpRequest(`${url}/metrics`)).text),
      );
      assert.equal(metrics.filter((text) => /^porter_stream_up\{/m.test(text)).length, 1);
    });
  });
});
