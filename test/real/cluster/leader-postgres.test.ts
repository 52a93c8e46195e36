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

/** One process that stands for the lead, and what has become of it. */
interface Candidate {
  readonly leader: PostgresLeader;
  readonly story: string[];
  /** Stands for it, and resolves once it has it. */
  leads(): Promise<void>;
  stand(): Promise<void>;
}

describe('who leads at a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  function candidate(t: TestContext, url: string, idleLimitMs?: number): Candidate {
    const handlers = createRelayHandlers(log);
    const leader = createPostgresLeader({ url, log, handlers, ...(idleLimitMs && { idleLimitMs }) });
    const story: string[] = [];
    const duties: LeaderTasks = {
      startLeading: async () => void story.push('begins'),
      stopLeading: async (lost) => void story.push(lost ? 'has lost' : 'ends'),
    };
    t.after(async () => {
      await leader.stop();
      await leader.close();
    });
    const stand = () => leader.start(handlers.activeDuring(duties));
    return {
      leader,
      story,
      stand,
      async leads() {
        await stand();
        await until(() => story.at(-1) === 'begins');
      },
    };
  }

  const until = async (holds: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await holds()); tries += 1) {
      if (tries > 3000) throw new Error('it never came');
      await sleep(10);
    }
  };

  const holder = `select l.pid, count(*) over () as holders from pg_locks l where l.locktype = 'advisory' and l.granted
    and l.objsubid = 2 and l.classid = 7086738`;

  const pair = async (t: TestContext) => {
    const url = await server.createSchema();
    const [one, other] = [candidate(t, url), candidate(t, url)];
    await one.leads();
    await other.stand();
    return { url, one, other };
  };

  test('one of two leads, and the other as soon as it resigns', async (t) => {
    const { one, other } = await pair(t);
    // The lock is tried every second; whoever has it is not asked to give it up.
    await sleep(1500);
    assert.deepEqual([one.story, other.story], [['begins'], []]);
    await one.leader.stop();
    assert.deepEqual(one.story, ['begins', 'ends']);
    await until(() => other.story.length > 0);
    assert.deepEqual(other.story, ['begins']);
  });

  test('who loses the connection has lost the lead, and does not begin again beside the next', async (t) => {
    const { url, one, other } = await pair(t);
    const { rows } = await server.query(url, holder);
    const pids = rows.map(({ pid }) => pid);
    await server.query(url, `select pg_terminate_backend(${pids.at(-1)}, 5000)`);
    await until(() => one.story.includes('has lost'));
    await until(() => one.story.length + other.story.length > 2);
    const leading = [one, other].filter(({ story }) => story.at(-1) === 'begins');
    assert.equal(leading.length, 1);
  });

  test('who was cut off leads again once nobody else does', async (t) => {
    const url = await server.createSchema();
    const only = candidate(t, url);
    await only.leads();
    await server.query(url, `select pg_terminate_backend(pid, 5000) from (${holder}) as held`);
    await until(() => only.story.length === 3);
    assert.deepEqual(only.story, ['begins', 'has lost', 'begins']);
  });

  test('a holder whose process stands still is cut off', async (t) => {
    const url = await server.createSchema();
    const first = candidate(t, url);
    await first.leads();
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
    // It never says another word.
    const next = candidate(t, url, 500);
    await next.leads();
    assert.deepEqual(next.story, ['begins']);
  });

  test('each ledger in a database has a leader of its own', async (t) => {
    const [one, other] = [
      candidate(t, await server.createSchema()),
      candidate(t, await server.createSchema()),
    ];
    await one.leads();
    await other.leads();
  });

  describe('questions to the process that leads', () => {
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

    test('are answered wherever they are asked', async (t) => {
      const { one, other } = await connected(t);
      assert.equal(await ask(one, 'ping', null), 'pong');
      assert.deepEqual(await ask(other, 'echo', { a: [1, null, 'é'] }), { a: [1, null, 'é'] });
    });

    test('may be longer than one notification, in any script, and many at once', async (t) => {
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

    test('fail in words that a caller can act on', async (t) => {
      const { one, other } = await connected(t);
      await assert.rejects(ask(other, 'fail', null), (fault: Error) => {
        assert.equal((fault as { kind?: string }).kind, 'failed');
        assert.doesNotMatch(fault.message, /secret/);
        return true;
      });
      await assert.rejects(ask(other, 'never', null, 100), { kind: 'late' });
      await assert.rejects(ask(other, 'unknown', null), { kind: 'unavailable' });
      await Promise.all([one.leader.stop(), other.leader.stop()]);
      await assert.rejects(ask(other, 'ping', null), { kind: 'unavailable' });
    });

    test('go to whoever leads now', async (t) => {
      const { one, other } = await connected(t);
      other.leader.relay.handle('who', () => 'the other');
      one.leader.relay.handle('who', () => 'one');
      assert.equal(await ask(other, 'who', null), 'one');
      await one.leader.stop();
      await until(() => other.story.at(-1) === 'begins');
      await reaches(one);
      assert.equal(await ask(one, 'who', null), 'the other');
    });
  });
});
