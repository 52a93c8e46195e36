import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpRequest } from '../../support/http.ts';
import { resumableClient } from '../../support/resumable-client.ts';
import { type Clamd, EICAR, startClamd } from '../peers/clamd.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type S3Server, startS3 } from '../peers/s3.ts';
import { beginAppend } from '../support/begin-append.ts';
import { type PorterProcess, runPorter } from '../support/porter-process.ts';
import { getSlot, type Slot, sendSlotRequest, uploadFile } from '../support/slots.ts';
import {
  type Instances,
  type LoadBalancedInstances,
  loadBalancers,
  startInstances,
  startLoadBalanced,
} from './start-instances.ts';
import { assertAllReadable, startUploadTraffic } from './upload-traffic.ts';
import { readLog } from './worker-log.ts';

const MIB = 1024 * 1024;

describe('Several instances with one PostgreSQL and one folder', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  async function two(
    t: TestContext,
    config: object = {},
  ): Promise<[PorterProcess, PorterProcess, Instances]> {
    const instances = await startInstances({ ledger: await postgres.createSchema(), config });
    t.after(() => instances.remove());
    const [one, other] = instances.all;
    assert.ok(one && other);
    return [one, other, instances];
  }

  /** The same link at another instance, as a load balancer may route it. */
  const at = ({ url }: PorterProcess, link: string) => new URL(new URL(link).pathname, url).href;

  test('a slot from one instance accepts its PUT at another, and both serve the file', async (t) => {
    const [one, other] = await two(t);
    const body = randomBytes(100_000);
    const slot = await getSlot(one, { size: body.length });
    assert.equal((await httpRequest(at(other, slot.put), { method: 'PUT', body })).status, 201);
    for (const porter of [one, other]) assert.ok((await httpRequest(at(porter, slot.get))).body.equals(body));
  });

  test('enforce quotas exactly together', async (t) => {
    const [one, other] = await two(t, { access: [{ jid: '.*', max_total_size: 10_000 }] });
    const asked = Array.from({ length: 40 }, (_, i) => sendSlotRequest(i % 2 ? one : other, { size: 1000 }));
    const granted = (await Promise.all(asked)).filter(({ status }) => status === 200);
    assert.equal(granted.length, 10);
  });

  test('of two concurrent PUTs with different bytes to two instances, exactly one succeeds', async (t) => {
    const [one, other] = await two(t);
    const bodies = [Buffer.alloc(200_000, 'a'), Buffer.alloc(200_000, 'b')] as const;
    for (let round = 0; round < 10; round += 1) {
      const slot = await getSlot(one, { size: 200_000 });
      const put = (porter: PorterProcess, body: Buffer) =>
        httpRequest(at(porter, slot.put), { method: 'PUT', body });
      const answers = await Promise.all([put(one, bodies[0]), put(other, bodies[1])]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409]);
      const winner = bodies[answers.findIndex(({ status }) => status === 201)];
      assert.ok(winner?.equals((await httpRequest(at(other, slot.get))).body));
    }
  });

  test('a file that one instance removes is served by no other after a second', async (t) => {
    const [one, other] = await two(t);
    const get = await uploadFile(one, Buffer.from('a little more than a little is by much too much'));
    assert.equal((await httpRequest(at(other, get))).status, 200);
    const [upload] = JSON.parse((await one.runCommand('uploads', '--json')).stdout) as { id: string }[];
    assert.equal((await one.runCommand('delete', upload?.id ?? '')).code, 0);
    await sleep(1000);
    for (const porter of [one, other]) assert.equal((await httpRequest(at(porter, get))).status, 404);
  });

  test('only one instance sweeps at a time', async (t) => {
    const [one, other] = await two(t, { retention: { sweep_every: '1s', max_age: '1s' } });
    await uploadFile(one, Buffer.from('brief as the lightning'));
    const sweeps = () =>
      [one, other].flatMap(
        ({ program }) => readLog(program).filter(({ msg }) => msg === 'sweep done') as unknown as Swept[],
      );
    await one.program.waitFor('several sweeps', () => sweeps().length >= 4);
    const spans = sweeps().map(({ time, ms }) => [Date.parse(time) - ms, Date.parse(time)] as const);
    const sorted = spans.sort(([a], [b]) => a - b);
    // The log line comes slightly after the end of a sweep, and its duration is rounded.
    for (const [i, [start]] of sorted.entries()) assert.ok(start + 5 >= (sorted[i - 1]?.[1] ?? 0));
    assert.equal(
      sweeps().reduce((sum, { expired }) => sum + expired, 0),
      1,
    );
  });

  test('killing an instance and PostgreSQL during uploads loses no acknowledged upload', async (t) => {
    const [one, other, instances] = await two(t);
    const body = randomBytes(100_000);
    const traffic = startUploadTraffic([one.url, other.url], body);
    try {
      await traffic.waitForMore(20);
      await one.stop('SIGKILL');
      await traffic.waitForMore(20);
      await instances.restart(0);
      await traffic.waitForMore(20);
      await postgres.kill();
      await postgres.start();
      await traffic.waitForMore(20);
    } finally {
      await traffic.stop();
    }
    await assertAllReadable(traffic.stored, body);
    const { code, stdout, stderr } = await other.runCommand('fsck');
    assert.equal(code, 0, stdout + stderr);
    for (const porter of instances.all) assert.equal((await httpRequest(`${porter.url}/readyz`)).status, 200);
  });

  for (const [name, kind] of Object.entries(loadBalancers)) {
    describe(`behind ${name}`, { skip: needs(name as keyof typeof loadBalancers) }, () => {
      let balanced: LoadBalancedInstances;
      before(async () => {
        balanced = await startLoadBalanced(kind, { ledger: await postgres.createSchema() });
      });
      after(() => balanced?.remove());

      /** Instances that have stored a file. */
      const storing = () =>
        balanced.all.filter(({ program }) => readLog(program).some(({ msg }) => msg === 'upload stored'));

      test('uploads and downloads are distributed, and killing an instance during them loses none', async () => {
        const { url, ca } = balanced;
        const body = randomBytes(300_000);
        const traffic = startUploadTraffic([url], body, ca);
        try {
          await traffic.waitForMore(30);
          assert.equal(storing().length, 2);
          await balanced.all[0]?.stop('SIGKILL');
          await traffic.waitForMore(30);
          await balanced.restart(0);
          await traffic.waitForMore(30);
        } finally {
          await traffic.stop();
        }
        await assertAllReadable(traffic.stored, body, ca);
      });

      test('refusals pass through, and links contain the address of the load balancer', async () => {
        const { url, ca } = balanced;
        const slot: Slot = await getSlot({ url }, { size: 5, ca });
        assert.ok(slot.put.startsWith(`${url}/`) && slot.get.startsWith(`${url}/`));
        const wrong = await httpRequest(slot.put, { method: 'PUT', body: 'too much of a good thing', ca });
        assert.equal(wrong.status, 400);
        assert.equal((await httpRequest(slot.put, { method: 'PUT', body: 'alone', ca })).status, 201);
        const part = await httpRequest(slot.get, { headers: { Range: 'bytes=1-2' }, ca });
        assert.deepEqual([part.status, part.text], [206, 'lo']);
      });
    });
  }
});

describe('Several instances with one PostgreSQL and one bucket', {
  skip: needs('postgresql', 'ceph', 'clamd'),
}, () => {
  let postgres: PostgresServer;
  let s3: S3Server;
  let clamd: Clamd;
  let instances: Instances;
  before(async () => {
    [postgres, s3, clamd] = await Promise.all([startPostgres(), startS3(), startClamd()]);
    const blobs = s3.blobsUrl(await s3.createBucket());
    // The connections of the test come from a trusted proxy.
    const config = { uploads: { interim_responses: 'always', scan: { clamd: `unix:${clamd.socket}` } } };
    instances = await startInstances({ ledger: await postgres.createSchema(), blobs, env: s3.env, config });
  });
  after(async () => {
    await instances?.remove();
    await Promise.all([postgres?.remove(), s3?.remove(), clamd?.stop()]);
  });

  test('go on with the parts of a resumable upload of another one, which may be killed', async () => {
    const [one, other] = instances.all;
    assert.ok(one && other);
    const body = randomBytes(20 * MIB);
    const slot = await getSlot(one, { size: body.length });
    const [first, second] = [resumableClient(one.port, '8'), resumableClient(other.port, '8')];
    const target = new URL(slot.put).pathname;
    const created = await first.create(target, { bytes: body.subarray(0, MIB), complete: false });
    const resource = created.resource ?? '';
    // One whole part, which S3 keeps as such, and a rest.
    const part = { offset: MIB, bytes: body.subarray(MIB, 10 * MIB), complete: false };
    assert.equal((await second.append(resource, part)).status, 204);
    assert.equal((await first.head(resource)).offset, 10 * MIB);
    const rest = { offset: 10 * MIB, size: body.length, bytes: body.subarray(10 * MIB, 19 * MIB) };
    const append = beginAppend(one.url + resource, rest);
    await one.program.waitFor('a second part', () => append.durable() > 10 * MIB);
    await one.stop('SIGKILL');
    append.destroy();
    // Its start releases what it held.
    await instances.restart(0);

    const { offset = 0 } = await second.head(resource);
    assert.ok(offset >= append.durable() && offset <= 19 * MIB, String(offset));
    const last = { offset, bytes: body.subarray(offset), complete: true };
    assert.equal((await second.append(resource, last)).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('scan a file whose parts came to both, and share its quarantine', async () => {
    const [one, other] = instances.all;
    assert.ok(one && other);
    const body = Buffer.concat([randomBytes(500_000), Buffer.from(EICAR), randomBytes(300_000)]);
    const { put, get } = await getSlot(one, { size: body.length });
    const [first, second] = [resumableClient(one.port, '8'), resumableClient(other.port, '8')];
    // The signature of the virus is cut in two.
    const cut = 500_000 + EICAR.length / 2;
    const begun = { bytes: body.subarray(0, cut), complete: false };
    const { resource = '' } = await first.create(new URL(put).pathname, begun);
    const last = await second.append(resource, { offset: cut, bytes: body.subarray(cut), complete: true });
    assert.deepEqual([last.status, (await first.head(resource)).status], [422, 404], last.body);
    const linkAt = ({ url }: PorterProcess) => new URL(new URL(get).pathname, url).href;
    for (const porter of [one, other]) assert.equal((await httpRequest(linkAt(porter))).status, 404);

    const run = (...args: string[]) =>
      runPorter([...args, '-c', 'porter.yml'], { cwd: one.folder, env: s3.env });
    const found = JSON.parse((await run('quarantine', '--json')).stdout) as {
      id: string;
      hasContent: boolean;
    }[];
    assert.deepEqual(
      found.map(({ hasContent }) => hasContent),
      [true],
    );
    const released = await run('quarantine', '--release', found[0]?.id ?? '');
    assert.equal(released.code, 0, released.stderr);
    for (const porter of [one, other])
      await porter.program.waitFor('the file', async () =>
        (await httpRequest(linkAt(porter))).body.equals(body),
      );
    const fsck = await run('fsck');
    assert.equal(fsck.code, 0, fsck.stdout + fsck.stderr);
  });

  test('share files, and lose no acknowledged upload when one is killed', async () => {
    const urls = instances.all.map(({ url }) => url);
    const body = randomBytes(100_000);
    const traffic = startUploadTraffic(urls, body);
    try {
      await traffic.waitForMore(20);
      await instances.all[0]?.stop('SIGKILL');
      await traffic.waitForMore(20);
      await instances.restart(0);
      await traffic.waitForMore(20);
    } finally {
      await traffic.stop();
    }
    for (const url of urls) {
      const here = traffic.stored.map((link) => new URL(new URL(link).pathname, url).href);
      await assertAllReadable(here, body);
    }
    const cwd = instances.all[1]?.folder ?? '';
    const { code, stdout, stderr } = await runPorter(['fsck', '-c', 'porter.yml'], { cwd, env: s3.env });
    assert.equal(code, 0, stdout + stderr);
  });
});

interface Swept {
  /** When it ended (ISO 8601), and how long it took, ms. */
  readonly time: string;
  readonly ms: number;
  readonly expired: number;
}
