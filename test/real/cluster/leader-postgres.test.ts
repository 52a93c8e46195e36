import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { JsonValue } from '../../../src/base/json.ts';
import { createLog } from '../../../src/base/log.ts';
import type { LeaderTasks } from '../../../src/cluster/leadership.ts';
import { createPostgresLeader, type PostgresLeader } from '../../../src/cluster/postgres/leader.ts';
import { createRelayHandlers } from '../../../src/cluster/relay-handlers.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';

const log = createLog({ level: 'silent', format: 'json' });

/** A process that competes for leadership, with a log of its transitions. */
interface Candidate {
  readonly leader: PostgresLeader;
  readonly events: string[];
  /** Starts, and resolves once it leads. */
  lead(): Promise<void>;
  start(): Promise<void>;
}

describe('Leader election on a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  function candidate(t: TestContext, url: string, idleLimitMs?: number): Candidate {
    const handlers = createRelayHandlers(log);
    const leader = createPostgresLeader({ url, log, handlers, ...(idleLimitMs && { idleLimitMs }) });
    const events: string[] = [];
    const tasks: LeaderTasks = {
      startLeading: async () => void events.push('started'),
      stopLeading: async (lost) => void events.push(lost ? 'lost' : 'stopped'),
    };
    t.after(async () => {
      await leader.stop();
      await leader.close();
    });
    const start = () => leader.start(handlers.activeDuring(tasks));
    return {
      leader,
      events,
      start,
      async lead() {
        await start();
        await until(() => events.at(-1) === 'started');
      },
    };
  }

  const until = async (holds: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await holds()); tries += 1) {
      if (tries > 30_000) throw new Error('Timed out');
      await sleep(10);
    }
  };

  const holder = `select l.pid, count(*) over () as holders from pg_locks l where l.locktype = 'advisory' and l.granted
    and l.objsubid = 2 and l.classid = 7086738`;

  const pair = async (t: TestContext) => {
    const url = await server.createSchema();
    const [one, other] = [candidate(t, url), candidate(t, url)];
    await one.lead();
    await other.start();
    return { url, one, other };
  };

  test('a process that is stopped while it starts does not lead afterwards', async (t) => {
    const url = await server.createSchema();
    for (let delayMs = 0; delayMs < 40; delayMs += 1) {
      const { leader, events, start } = candidate(t, url);
      await start();
      await sleep(delayMs);
      await leader.stop();
      const untilStopped = [...events];
      await leader.close();
      assert.deepEqual(events, untilStopped, `stopped after ${delayMs} ms`);
    }
  });

  test('one of two processes leads, and the other one after it has stopped', async (t) => {
    const { one, other } = await pair(t);
    // The other process retries the lock every second; the holder keeps it.
    await sleep(1500);
    assert.deepEqual([one.events, other.events], [['started'], []]);
    await one.leader.stop();
    assert.deepEqual(one.events, ['started', 'stopped']);
    await until(() => other.events.length > 0);
    assert.deepEqual(other.events, ['started']);
  });

  test('a process that loses its connection stops leading, and there are never two leaders', async (t) => {
    const { url, one, other } = await pair(t);
    const { rows } = await server.query(url, holder);
    const pids = rows.map(({ pid }) => pid);
    await server.query(url, `select pg_terminate_backend(${pids.at(-1)}, 5000)`);
    await until(() => one.events.includes('lost'));
    await until(() => one.events.length + other.events.length > 2);
    const leading = [one, other].filter(({ events }) => events.at(-1) === 'started');
    assert.equal(leading.length, 1);
  });

  test('a disconnected leader leads again if no other process took over', async (t) => {
    const url = await server.createSchema();
    const only = candidate(t, url);
    await only.lead();
    await server.query(url, `select pg_terminate_backend(pid, 5000) from (${holder}) as held`);
    await until(() => only.events.length === 3);
    assert.deepEqual(only.events, ['started', 'lost', 'started']);
  });

  test('the connection of a frozen leader is terminated', async (t) => {
    const url = await server.createSchema();
    const first = candidate(t, url);
    await first.lead();
    const { rows } = await server.query(
      url,
      `select classid::int, objid::int from (${holder.replace('l.pid', 'l.classid, l.objid')}) as held`,
    );
    await first.leader.stop();
    const still = new pg.Client({ connectionString: url });
    still.on('error', () => {});
    await still.connect();
    t.after(() => still.end());
    const { classid, objid } = rows.at(-1);
    await until(async () => {
      const taken = await still.query('select pg_try_advisory_lock($1, $2) as taken', [classid, objid]);
      return taken.rows[0].taken;
    });
    // This connection holds the lock and sends nothing more.
    const next = candidate(t, url, 500);
    await next.lead();
    assert.deepEqual(next.events, ['started']);
  });

  test('each schema in a database has a separate leader', async (t) => {
    const [one, other] = [
      candidate(t, await server.createSchema()),
      candidate(t, await server.createSchema()),
    ];
    await one.lead();
    await other.lead();
  });

  describe('Requests to the leading process', () => {
    const ask = ({ leader }: Candidate, topic: string, payload: JsonValue, ms = 20_000) =>
      leader.relay.request(topic, payload, ms);

    /** Until the other has a connection to ask on. */
    const reaches = (candidate: Candidate) =>
      until(() =>
        ask(candidate, 'ping', null).then(
          () => true,
          () => false,
        ),
      );

    const connected = async (t: TestContext) => {
      const { one, other, ...more } = await pair(t);
      for (const { leader } of [one, other]) {
        leader.relay.handle('ping', () => 'pong');
        leader.relay.handle('echo', (payload) => payload);
        leader.relay.handle('fail', () => Promise.reject(new Error('a secret reason')));
        leader.relay.handle('never', () => new Promise(() => {}));
      }
      await reaches(other);
      return { one, other, ...more };
    };

    test('are answered from any process', async (t) => {
      const { one, other } = await connected(t);
      assert.equal(await ask(one, 'ping', null), 'pong');
      assert.deepEqual(await ask(other, 'echo', { a: [1, null, 'é'] }), { a: [1, null, 'é'] });
    });

    test('may exceed the size of one notification, contain any Unicode text, and run concurrently', async (t) => {
      const { other } = await connected(t);
      const long = '<body>Wherefore \u0000 "art" \\ thou 日本 🌹 é</body>'.repeat(4000);
      assert.equal(await ask(other, 'echo', long), long);
      const many = Array.from({ length: 200 }, (_, i) => `${i}${'x'.repeat(i * 100)}`);
      assert.deepEqual(await Promise.all(many.map((text) => ask(other, 'echo', text))), many);
      await assert.rejects(ask(other, 'echo', 'x'.repeat(1_100_000)), {
        kind: 'failed',
        message: /too long/,
      });
    });

    test('fail with a message for the caller', async (t) => {
      const { one, other } = await connected(t);
      await assert.rejects(ask(other, 'fail', null), (fault: Error) => {
        assert.equal((fault as { kind?: string }).kind, 'failed');
        assert.doesNotMatch(fault.message, /secret/);
        return true;
      });
      await assert.rejects(ask(other, 'never', null, 100), { kind: 'timeout' });
      await assert.rejects(ask(other, 'unknown', null), { kind: 'unavailable' });
      await Promise.all([one.leader.stop(), other.leader.stop()]);
      await assert.rejects(ask(other, 'ping', null), { kind: 'unavailable' });
    });

    test('reach the current leader', async (t) => {
      const { one, other } = await connected(t);
      other.leader.relay.handle('who', () => 'the other');
      one.leader.relay.handle('who', () => 'one');
      assert.equal(await ask(other, 'who', null), 'one');
      await one.leader.stop();
      await until(() => other.events.at(-1) === 'started');
      await reaches(one);
      assert.equal(await ask(one, 'who', null), 'the other');
    });
  });
});
