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

const house = { ...openSlotConfig, workers: 2 };

async function startWorkers(t: TestContext, options: PorterOptions = {}): Promise<PorterProcess> {
  const porter = await startPorter({ ...options, config: { ...house, ...(options.config as object) } });
  t.after(() => porter.remove());
  await porter.program.waitFor('both workers', () => servingWorkers(porter.program).size === 2);
  return porter;
}

/** Asks on so many connections of their own, so that every worker is among those asked. */
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
  describe(`workers at one ${name}`, { skip }, () => {
    let postgres: PostgresServer | undefined;
    before(async () => {
      if (name === 'PostgreSQL') postgres = await startPostgres();
    });
    after(() => postgres?.remove());

    const start = async (t: TestContext, config: object = {}) => {
      const storage = postgres && { storage: { ledger: await postgres.createSchema() } };
      return startWorkers(t, { config: { ...storage, ...config } });
    };

    test('a kill of one after the other amid uploads loses none that was answered', async (t) => {
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

    test('the claim of a worker that was killed is void at once', async (t) => {
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

    test('what one removes, no other serves a second later', async (t) => {
      const porter = await start(t);
      const get = await uploadFile(porter, Buffer.from('parting is such sweet sorrow'));
      const statuses = () => askAll(async () => (await httpRequest(get)).status);
      // Now it is hot in both.
      assert.deepEqual(new Set(await statuses()), new Set([200]));
      const [upload] = JSON.parse((await porter.runCommand('uploads', '--json')).stdout) as { id: string }[];
      assert.equal((await porter.runCommand('delete', upload?.id ?? '')).code, 0);
      await sleep(1000);
      assert.deepEqual(new Set(await statuses()), new Set([404]));
    });

    test('quotas are exact over all of them', async (t) => {
      const access = [{ jid: '.*', max_total_size: 10_000 }];
      const porter = await start(t, { access });
      const answers = await askAll(
        () => httpRequest(`${porter.url}/slot/?jid=romeo@example.org&name=a.jpg&size=1000`),
        40,
      );
      const granted = answers.filter(({ status }) => status === 200);
      assert.equal(granted.length, 10);
    });

    test('their metrics add up, are the same whoever is asked, and do not shrink when one dies', async (t) => {
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

describe('the supervisor of workers', () => {
  const maxSizes = (porter: PorterProcess) =>
    askAll(async () => (await httpRequest(`${porter.url}/slot/max_size/?jid=romeo@example.org`)).text.trim());
  const limited = (size: string) => ({ ...house, access: [{ jid: '.*', max_file_size: size }] });

  test('hands new rules to all at SIGHUP, and a bad file to none, which it says once', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    await porter.writeConfig(limited('1 MiB'));
    program.signal('SIGHUP');
    await program.waitFor('the new rule', () => /config reloaded/.test(program.output));
    assert.deepEqual(new Set(await maxSizes(porter)), new Set(['1048576']));

    await porter.writeConfig({ ...limited('2 MiB'), acces: [] });
    program.signal('SIGHUP');
    await program.waitFor('the reason', () => /cannot load the new config/.test(program.output));
    // A worker that starts now gets what holds, not what the file says.
    await killWorker(program, leaderPid(program));
    assert.deepEqual(new Set(await maxSizes(porter)), new Set(['1048576']));
    assert.equal(program.output.match(/cannot load the new config/g)?.length, 1);
  });

  test('keeps the old certificate in all where the new one is no good', async (t) => {
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

  test('lets uploads in flight finish at SIGTERM, takes no other, and ends with all of them', async (t) => {
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
    assert.doesNotMatch(program.output, /takes its place/);
  });

  test('ends all at once at a second SIGTERM', async (t) => {
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

  test('lets signals for a whole group end uploads in flight no sooner', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    const body = randomBytes(500_000);
    const slot = await getSlot(porter, { size: body.length });
    const put = await startPut(slot.put, body, 100_000);
    await waitForTransfers(porter, 1);
    // As systemd and terminals do it.
    const all = [program.pid, ...servingWorkers(program).values()];
    for (const pid of all) process.kill(pid, 'SIGTERM');
    await program.waitFor('the signal', () => /"stopping"/.test(program.output));
    assert.equal((await put.finish()).status, 201);
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });

  test('ends at once, with the reason and nothing left, where the address is taken', async (t) => {
    const porter = await startWorkers(t);
    // From the same folder and config, as by mistake.
    const { code, stdout, stderr } = await porter.runCommand('serve');
    assert.equal(code, 1);
    assert.match(stderr, /Cannot listen on 127\.0\.0\.1:\d+: another program listens there already/);
    assert.match(stderr, /A worker could not start/);
    assert.equal((stdout + stderr).match(/Cannot listen/g)?.length, 1);
    assert.equal((await httpRequest(`${porter.url}/readyz`)).status, 200);
  });

  test('says what is wrong with the config before anything starts', async () => {
    const folder = await createTemporaryFolder();
    const { code, stderr } = await runPorter(['serve', '-c', 'none.yml'], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, /none\.yml/);
  });

  test('shares a Unix socket, and takes over one that a crash has left', async (t) => {
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
    const config = { ...house, listen };
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

  test('takes TLS in all of them', async (t) => {
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

  test('gives up, and says so, where no worker can start any more', async (t) => {
    const porter = await startWorkers(t);
    const { program } = porter;
    // The ledger of a program from the future.
    const { DatabaseSync } = await import('node:sqlite');
    const ledger = new DatabaseSync(join(porter.folder, 'data/porter.db'));
    ledger.exec("insert into migrations values (9001, 'from_the_future', 0)");
    ledger.close();
    for (const pid of servingWorkers(program).values()) process.kill(pid, 'SIGKILL');
    await program.waitFor('the end', () => !program.running, 120).catch(() => {});
    const { code } = await program.exited();
    assert.equal(code, 1);
    assert.match(program.output, /written by a newer Porter/);
    assert.match(program.output, /The workers keep crashing/);
  });
});

/** Waits until none of these processes lives. */
async function gone(pids: readonly number[]): Promise<void> {
  for (let tries = 0; pids.some(isAlive); tries += 1) {
    assert.ok(tries < 1000, 'a worker outlived its supervisor');
    await sleep(20);
  }
}
