import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { writeCertificate } from '../../support/self-signed-certificate.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import {
  createTemporaryFolder,
  type PorterOptions,
  type PorterProcess,
  runPorter,
  startPorter,
} from '../support/porter-process.ts';
import { getSlot, openSlotConfig, startPut, uploadFile, waitForTransfers } from '../support/slots.ts';
import { assertAllReadable, startUploadTraffic } from './upload-traffic.ts';
import { killWorker, leaderPid, readLog, servingWorkers } from './worker-log.ts';

const twoWorkers = { ...openSlotConfig, workers: 2 };

async function startWorkers(t: TestContext, options: PorterOptions = {}): Promise<PorterProcess> {
  const porter = await startPorter({ ...options, config: { ...twoWorkers, ...(options.config as object) } });
  t.after(() => porter.remove());
  await porter.program.waitFor('both workers', () => servingWorkers(porter.program).size === 2);
  return porter;
}

/** Repeats a request on enough separate connections to reach every worker. */
const askAll = <T>(work: () => Promise<T>, times = 24): Promise<T[]> =>
  Promise.all(Array.from({ length: times }, work));

async function assertSound(porter: PorterProcess): Promise<void> {
  const { code, stdout, stderr } = await porter.runCommand('fsck');
  assert.equal(code, 0, stdout + stderr);
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const ledgers = [
  ['SQLite', false],
  ['PostgreSQL', needs('postgresql')],
] as const;

for (const [name, skip] of ledgers) {
  describe(`Workers on ${name}`, { skip }, () => {
    let postgres: PostgresServer | undefined;
    before(async () => {
      if (name === 'PostgreSQL') postgres = await startPostgres();
    });
    after(() => postgres?.remove());

    const start = async (t: TestContext, config: object = {}) => {
      const storage = postgres && { storage: { ledger: await postgres.createSchema() } };
      return startWorkers(t, { config: { ...storage, ...config } });
    };

    test('killing one after the other during uploads loses no acknowledged upload', async (t) => {
      const porter = await start(t);
      const { program } = porter;
      const body = randomBytes(200_000);
      const traffic = startUploadTraffic([porter.url], body);
      for (let kills = 0; kills < 4; kills += 1) {
        await traffic.waitForMore(10);
        const victim = kills % 2 === 0 ? leaderPid(program) : [...servingWorkers(program).values()][0];
        await killWorker(program, victim ?? 0);
      }
      await traffic.waitForMore(10);
      await traffic.stop();
      await assertAllReadable(traffic.stored, body);
      await assertSound(porter);
    });

    test('survive an outage of the database during which the leader dies', async (t) => {
      if (!postgres) return t.skip('has no server that could stop');
      const porter = await start(t);
      const { program } = porter;
      const leader = leaderPid(program);
      const survivor = [...servingWorkers(program).values()].find((pid) => pid !== leader) ?? 0;
      await postgres.stop();
      try {
        process.kill(leader, 'SIGKILL');
        await program.waitFor('another leader', () => leaderPid(program) === survivor);
        await program.waitFor('a worker that waits', () => program.stdout.includes('waits for the database'));
        assert.ok(isAlive(survivor));
      } finally {
        await postgres.start();
      }
      await program.waitFor('both workers', () => servingWorkers(program).size === 2);
      assert.equal([...servingWorkers(program).values()].includes(survivor), true);
      await uploadFile(porter, randomBytes(1000));
    });

    test('the claim of a killed worker is released at once', async (t) => {
      const porter = await start(t, { slots: { timeout: '10m' } });
      const body = randomBytes(500_000);
      const slots = await askAll(async () => {
        const slot = await getSlot(porter, { size: body.length });
        return { slot, put: await startPut(slot.put, body, 100_000) };
      }, 12);
      await waitForTransfers(porter, slots.length);
      for (const pid of [...servingWorkers(porter.program).values()]) await killWorker(porter.program, pid);
      for (const { slot, put } of slots) {
        put.destroy();
        const retried = await httpRequest(slot.put, { method: 'PUT', body });
        assert.equal(retried.status, 201, retried.text);
      }
    });

    test('a file that one worker removes is served by no other after a second', async (t) => {
      const porter = await start(t);
      const get = await uploadFile(porter, Buffer.from('parting is such sweet sorrow'));
      const statuses = () => askAll(async () => (await httpRequest(get)).status);
      // Both workers have the file in their cache now.
      assert.deepEqual(new Set(await statuses()), new Set([200]));
      const [upload] = JSON.parse((await porter.runCommand('uploads', '--json')).stdout) as { id: string }[];
      assert.equal((await porter.runCommand('delete', upload?.id ?? '')).code, 0);
      await sleep(1000);
      assert.deepEqual(new Set(await statuses()), new Set([404]));
    });

    test('enforce quotas exactly together', async (t) => {
      const access = [{ jid: '.*', max_total_size: 10_000 }];
      const porter = await start(t, { access });
      const answers = await askAll(
        () => httpRequest(`${porter.url}/slot/?jid=romeo@example.org&name=a.jpg&size=1000`),
        40,
      );
      const granted = answers.filter(({ status }) => status === 200);
      assert.equal(granted.length, 10);
    });

    test('any worker reports the sum of all metrics, which does not shrink when one dies', async (t) => {
      const porter = await start(t);
      const count = (text: string, line: string) =>
        Number(new RegExp(`^porter_${line} (.*)$`, 'm').exec(text)?.[1]);
      const body = Buffer.alloc(1000, 'x');
      await askAll(() => uploadFile(porter, body));
      const texts = await askAll(async () => (await httpRequest(`${porter.url}/metrics`)).text, 12);
      for (const text of texts) {
        assert.equal(count(text, 'put_seconds_count{endpoint="slot_api"}'), 24);
        assert.equal(count(text, 'uploaded_bytes_total{endpoint="slot_api"}'), 24_000);
        assert.equal(count(text, 'stored_uploads'), 24);
        assert.equal(count(text, 'stored_bytes'), 24_000);
        assert.equal(count(text, 'processes'), 2);
      }
      await killWorker(porter.program, [...servingWorkers(porter.program).values()][0] ?? 0);
      const after = (await httpRequest(`${porter.url}/metrics`)).text;
      assert.equal(count(after, 'put_seconds_count{endpoint="slot_api"}'), 24);
      assert.equal(count(after, 'processes'), 2);
    });
  });
}

describe('The supervisor of workers', () => {
  const maxSizes = (porter: PorterProcess) =>
    askAll(async () => (await httpRequest(`${porter.url}/slot/max_size/?jid=romeo@example.org`)).text.trim());
  const limited = (size: string) => ({ ...twoWorkers, access: [{ jid: '.*', max_file_size: size }] });

  test('applies a new config to all workers on SIGHUP, and rejects an invalid one with a single log line', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    await porter.writeConfig(limited('1 MiB'));
    program.signal('SIGHUP');
    await program.waitFor('the new rule', () => /config reloaded/.test(program.output));
    assert.deepEqual(new Set(await maxSizes(porter)), new Set(['1048576']));

    await porter.writeConfig({ ...limited('2 MiB'), acces: [] });
    program.signal('SIGHUP');
    await program.waitFor('the reason', () => /cannot load the new config/.test(program.output));
    // A worker that starts now gets the active config, not the invalid file.
    await killWorker(program, leaderPid(program));
    assert.deepEqual(new Set(await maxSizes(porter)), new Set(['1048576']));
    assert.equal(program.output.match(/cannot load the new config/g)?.length, 1);
  });

  test('keeps the old certificate in all workers if the new one is invalid', async (t) => {
    const folder = await createTemporaryFolder();
    const certificate = await writeCertificate(folder, ['localhost']);
    const porter = await startWorkers(t, { folder, certificate });
    const { program } = porter;
    await porter.writeConfig({ ...limited('1 MiB'), tls: { cert: certificate.key, key: certificate.cert } });
    program.signal('SIGHUP');
    await program.waitFor('the reason', () => /cannot load the new config/.test(program.output));
    assert.match(program.output, /tls\.cert and tls\.key must be PEM files|certificate cannot be used/);
    assert.equal(program.output.match(/cannot load the new config/g)?.length, 1);
  });

  test('finishes uploads in progress on SIGTERM, accepts no new ones, and exits with all workers', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    const workers = [...servingWorkers(program).values()];
    const body = randomBytes(500_000);
    const puts = await askAll(async () => {
      const slot = await getSlot(porter, { size: body.length });
      return startPut(slot.put, body, 100_000);
    }, 8);
    await waitForTransfers(porter, puts.length);
    program.signal('SIGTERM');
    await program.waitFor('the end of listening', () =>
      httpRequest(`${porter.url}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    for (const put of puts) assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
    assert.deepEqual(workers.filter(isAlive), []);
    assert.doesNotMatch(program.output, /starting another/);
  });

  test('ends all workers at once on a second SIGTERM', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    const workers = [...servingWorkers(program).values()];
    const slot = await getSlot(porter, { size: 500_000 });
    const put = await startPut(slot.put, Buffer.alloc(500_000), 100_000);
    await waitForTransfers(porter, 1);
    program.signal('SIGTERM');
    await program.waitFor('the first signal', () => /"stopping"/.test(program.output));
    program.signal('SIGTERM');
    assert.deepEqual(await program.exited(), { code: 1, signal: null });
    put.destroy();
    await gone(workers);
  });

  test('also finishes uploads in progress if the whole process group gets the signal', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    const body = randomBytes(500_000);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(porter, 1);
    // systemd and terminals signal the whole group.
    const all = [program.pid, ...servingWorkers(program).values()];
    for (const pid of all) process.kill(pid, 'SIGTERM');
    await program.waitFor('the signal', () => /"stopping"/.test(program.output));
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });

  test('exits at once with the reason if the address is in use, and leaves no process', async (t) => {
    const porter = await startWorkers(t);
    // The same folder and config, as if started twice by mistake.
    const { code, stdout, stderr } = await porter.runCommand('serve');
    assert.equal(code, 1);
    assert.match(stderr, /Cannot listen on 127\.0\.0\.1:\d+: another program already listens there/);
    assert.match(stderr, /A worker could not start/);
    assert.equal((stdout + stderr).match(/Cannot listen/g)?.length, 1);
    assert.equal((await httpRequest(`${porter.url}/readyz`)).status, 200);
  });

  test('reports config errors before starting any worker', async () => {
    const folder = await createTemporaryFolder();
    const { code, stderr } = await runPorter(['serve', '-c', 'none.yml'], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, /none\.yml/);
  });

  test('shares a Unix socket, and replaces a stale one left by a crash', async (t) => {
    const folder = await createTemporaryFolder();
    const socket = join(folder, 'porter.sock');
    const overSocket = () =>
      new Promise<number>((resolve, reject) => {
        request({ socketPath: socket, path: '/readyz', agent: false }, ({ statusCode = 0 }) =>
          resolve(statusCode),
        )
          .on('error', reject)
          .end();
      });
    const first = await startWorkers(t, { folder });
    const listen = [`127.0.0.1:${first.port}`, `unix:${socket}`];
    await first.stop();
    const config = { ...twoWorkers, listen };
    const second = await startWorkers(t, { folder, port: first.port, config });
    assert.deepEqual(new Set(await askAll(overSocket)), new Set([200]));
    await killWorker(second.program, leaderPid(second.program));
    assert.deepEqual(new Set(await askAll(overSocket)), new Set([200]));

    const workers = [...servingWorkers(second.program).values()];
    await second.stop('SIGKILL');
    await gone(workers);
    assert.ok(existsSync(socket));
    await startWorkers(t, { folder, port: first.port, config });
    assert.deepEqual(new Set(await askAll(overSocket)), new Set([200]));
  });

  test('serves TLS from all workers', async (t) => {
    const folder = await createTemporaryFolder();
    const certificate = await writeCertificate(folder, ['localhost']);
    const ca = await readFile(certificate.cert, 'utf8');
    const porter = await startWorkers(t, { folder, certificate });
    const body = randomBytes(100_000);
    const links = await askAll(() => uploadFile(porter, body, { ca }), 8);
    await assertAllReadable(links, body, ca);
    const storing = readLog(porter.program).filter(({ msg }) => msg === 'upload stored');
    assert.equal(storing.length, 8);
  });

  test('exits with the reason if no worker can start', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    // A ledger that a newer version has migrated.
    const { DatabaseSync } = await import('node:sqlite');
    const ledger = new DatabaseSync(join(porter.folder, 'data/porter.db'));
    ledger.exec("insert into migrations values (9001, 'from_the_future', 0)");
    ledger.close();
    for (const pid of servingWorkers(program).values()) process.kill(pid, 'SIGKILL');
    await program.waitFor('the end', () => !program.running).catch(() => {});
    const { code } = await program.exited();
    assert.equal(code, 1);
    assert.match(program.output, /migrated by a newer version of Porter/);
    assert.match(program.output, /The workers keep crashing/);
  });
});

/** Waits until all these processes have ended. */
async function gone(pids: readonly number[]): Promise<void> {
  for (let tries = 0; pids.some(isAlive); tries += 1) {
    assert.ok(tries < 1000, 'a worker outlived its supervisor');
    await sleep(20);
  }
}
