import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import type { Slot } from '../support/slots.ts';
import { startInstances } from './start-instances.ts';
import { everyProcessReports, leaderPid, readLog, servingWorkers } from './worker-log.ts';

/** The component that the server must accept. */
export const UPLOAD = 'upload.localhost';
export const SECRET = 'a secret of twenty characters';
const PASSWORD = 'pw';

/** Processes that share one ledger; one of them holds the component stream. */
interface Cluster {
  readonly processes: readonly PorterProcess[];
  /** Kills the process that holds the stream. Resolves when it has ended. */
  killHolder(): Promise<void>;
}

export interface StreamFailoverServer {
  readonly name: 'prosody' | 'ejabberd';
  /** Starts the server with the component `UPLOAD`. */
  start(): Promise<XmppServer>;
  /** Also tests instances that share a ledger on PostgreSQL. */
  readonly withPostgres: boolean;
}

/** Tests that one of several processes holds the component stream, and another one takes over. */
export function testStreamFailover({ name, start, withPostgres }: StreamFailoverServer): void {
  describe(`The component stream of several processes at ${name}`, { skip: needs(name, 'slixmpp') }, () => {
    let server: XmppServer;
    let romeo: SlixmppClient;
    before(async () => {
      server = await start();
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

    async function startWorkers(t: TestContext, storage: object): Promise<Cluster> {
      const porter = await startPorter({ config: { ...settings(), ...storage, workers: 2 } });
      t.after(() => porter.remove());
      const { program } = porter;
      await program.waitFor('both workers', () => servingWorkers(program).size === 2);
      return {
        processes: [porter],
        killHolder: async () => void process.kill(leaderPid(program), 'SIGKILL'),
      };
    }

    async function startTwo(t: TestContext, ledger: string): Promise<Cluster> {
      const instances = await startInstances({ ledger, config: settings() });
      t.after(() => instances.remove());
      const hasStream = ({ program }: PorterProcess) =>
        readLog(program).some(({ msg }) => msg === 'component stream is up');
      const killHolder = async () => {
        const holder = instances.all.findLast(hasStream);
        assert.ok(holder);
        await holder.program.stop('SIGKILL');
      };
      return { processes: instances.all, killHolder };
    }

    /** The statuses of `/readyz` over several connections: whichever workers accept them. */
    const readiness = async (processes: readonly PorterProcess[]): Promise<Set<number>> => {
      const living = processes.filter(({ program }) => program.running);
      const requests = living.flatMap(({ url }) =>
        Array.from({ length: 12 }, async () => (await httpRequest(`${url}/readyz`)).status),
      );
      return new Set(await Promise.all(requests));
    };

    const until = (event: string, processes: readonly PorterProcess[], holds: () => Promise<boolean>) => {
      const survivor = processes.find(({ program }) => program.running);
      assert.ok(survivor);
      return survivor.program.waitFor(event, () => holds().catch(() => false));
    };

    /**
     * Waits until `/readyz` answers with this status and every process has found the stream in this state. The answers alone
     * are not enough: a busy worker accepts none of the connections, and what it remembers is valid for another second.
     */
    const allReport = (processes: readonly PorterProcess[], status: number) =>
      until(`/readyz to answer ${status} everywhere`, processes, async () => {
        const statuses = await readiness(processes);
        const living = processes.filter(({ program }) => program.running);
        const agree = living.every(({ program }) => everyProcessReports(program, UPLOAD, status === 200));
        return agree && statuses.size === 1 && statuses.has(status);
      });

    const requestSlot = async () => {
      const slot = await romeo.run<Partial<Slot>>('slot', { jid: UPLOAD, name: 'a.txt', size: 5 });
      assert.ok(slot.put !== undefined && slot.get !== undefined, JSON.stringify(slot));
      return slot as Slot;
    };

    /** Retries, because requests on their way to the killed process are never answered. */
    const slotAfterKill = async (processes: readonly PorterProcess[]) => {
      let granted = false;
      await until('a slot after the kill', processes, async () => {
        requestSlot().then(
          () => {
            granted = true;
          },
          () => {},
        );
        for (let tries = 0; !granted && tries < 10; tries += 1) await sleep(20);
        return granted;
      });
    };

    /** Checks that the surviving process accepts PUTs for a slot from before the kill and for one from after it. */
    async function assertFailover(t: TestContext, { processes, killHolder }: Cluster): Promise<void> {
      await allReport(processes, 200);
      const before = await requestSlot();
      const killed = performance.now();
      await killHolder();
      await slotAfterKill(processes);
      t.diagnostic(`slots again ${Math.round(performance.now() - killed)} ms after the kill`);
      const survivor = processes.find(({ program }) => program.running);
      assert.ok(survivor);
      const atSurvivor = (link: string) => new URL(new URL(link).pathname, survivor.url).href;
      for (const { put, get } of [before, await requestSlot()]) {
        const send = () => httpRequest(atSurvivor(put), { method: 'PUT', body: 'adieu' });
        // A worker's connections die with it; clients try again.
        const answer = await send().catch(send);
        assert.equal(answer.status, 201, answer.text);
        assert.equal((await httpRequest(atSurvivor(get))).text, 'adieu');
      }
      await allReport(processes, 200);
    }

    /** Checks that every process reports the state of the stream, whichever process holds it. */
    async function assertReadiness({ processes }: Cluster): Promise<void> {
      await allReport(processes, 200);
      await romeo.logout();
      await server.kill();
      await allReport(processes, 503);
      await server.start();
      await allReport(processes, 200);
      romeo = await login();
      await requestSlot();
    }

    describe('with workers on SQLite', () => {
      test('moves to another worker when its process is killed', async (t) =>
        assertFailover(t, await startWorkers(t, {})));
      test('has its state reported by every worker', async (t) => assertReadiness(await startWorkers(t, {})));
      test('appears once in the metrics, with its state', async (t) => {
        const { processes } = await startWorkers(t, {});
        await allReport(processes, 200);
        const metrics = () => httpRequest(`${processes[0]?.url}/metrics`);
        const texts = await Promise.all(Array.from({ length: 12 }, async () => (await metrics()).text));
        for (const text of texts) assert.match(text, /^porter_stream_up\{jid="upload\.localhost"\} 1$/m);
      });
    });

    if (!withPostgres) return;

    describe('on PostgreSQL', { skip: needs('postgresql') }, () => {
      let postgres: PostgresServer;
      before(async () => {
        postgres = await startPostgres();
      });
      after(() => postgres?.remove());

      test('moves to another worker when its process is killed', async (t) =>
        assertFailover(t, await startWorkers(t, { storage: { ledger: await postgres.createSchema() } })));
      test('moves to another instance when its process is killed', async (t) =>
        assertFailover(t, await startTwo(t, await postgres.createSchema())));
      test('has its state reported by every instance', async (t) =>
        assertReadiness(await startTwo(t, await postgres.createSchema())));

      test('reconnects in exactly one instance after PostgreSQL was killed', async (t) => {
        const { processes } = await startTwo(t, await postgres.createSchema());
        await allReport(processes, 200);
        await postgres.kill();
        await allReport(processes, 503);
        await postgres.start();
        await allReport(processes, 200);
        await requestSlot();
        const metrics = await Promise.all(
          processes.map(async ({ url }) => (await httpRequest(`${url}/metrics`)).text),
        );
        assert.equal(metrics.filter((text) => /^porter_stream_up\{/m.test(text)).length, 1);
      });
    });
  });
}
