import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './ask.ts';
import { assertAllThere, keepUploading, logOf } from './crew.ts';
import { type Balanced, balancers, type Instances, startBalanced, startInstances } from './instances.ts';
import { needs } from './peers.ts';
import { type RunningPorter, runPorter } from './porter.ts';
import { type RunningPostgres, startPostgres } from './postgres.ts';
import { startS3 } from './s3.ts';
import { askSlot, requestSlot, type Slot, store } from './slots.ts';

describe('several instances at one PostgreSQL and one folder', { skip: needs('postgresql') }, () => {
  let postgres: RunningPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  async function two(
    t: TestContext,
    config: object = {},
  ): Promise<[RunningPorter, RunningPorter, Instances]> {
    const instances = await startInstances({ ledger: await postgres.newPlace(), config });
    t.after(() => instances.remove());
    const [one, other] = instances.all;
    assert.ok(one && other);
    return [one, other, instances];
  }

  /** The same link at another instance, as a balancer may send it. */
  const at = ({ url }: RunningPorter, link: string) => new URL(new URL(link).pathname, url).href;

  test('a slot that one has granted is filled at another, and read at both', async (t) => {
    const [one, other] = await two(t);
    const body = randomBytes(100_000);
    const slot = await askSlot(one, { size: body.length });
    assert.equal((await ask(at(other, slot.put), { method: 'PUT', body })).status, 201);
    for (const porter of [one, other]) assert.ok((await ask(at(porter, slot.get))).body.equals(body));
  });

  test('quotas are exact over all of them', async (t) => {
    const [one, other] = await two(t, { access: [{ jid: '.*', max_total_size: 10_000 }] });
    const asked = Array.from({ length: 40 }, (_, i) => requestSlot(i % 2 ? one : other, { size: 1000 }));
    const granted = (await Promise.all(asked)).filter(({ status }) => status === 200);
    assert.equal(granted.length, 10);
  });

  test('of two PUTs with different bytes to two of them at once, one wins', async (t) => {
    const [one, other] = await two(t);
    const bodies = [Buffer.alloc(200_000, 'a'), Buffer.alloc(200_000, 'b')] as const;
    for (let round = 0; round < 10; round += 1) {
      const slot = await askSlot(one, { size: 200_000 });
      const put = (porter: RunningPorter, body: Buffer) => ask(at(porter, slot.put), { method: 'PUT', body });
      const answers = await Promise.all([put(one, bodies[0]), put(other, bodies[1])]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409]);
      const winner = bodies[answers.findIndex(({ status }) => status === 201)];
      assert.ok(winner?.equals((await ask(at(other, slot.get))).body));
    }
  });

  test('what is removed at one, no other serves a second later', async (t) => {
    const [one, other] = await two(t);
    const get = await store(one, Buffer.from('a little more than a little is by much too much'));
    assert.equal((await ask(at(other, get))).status, 200);
    const [upload] = JSON.parse((await one.run('uploads', '--json')).stdout) as { id: string }[];
    assert.equal((await one.run('delete', upload?.id ?? '')).code, 0);
    await sleep(1000);
    for (const porter of [one, other]) assert.equal((await ask(at(porter, get))).status, 404);
  });

  test('they sweep one at a time, whoever does it', async (t) => {
    const [one, other] = await two(t, { retention: { sweep_every: '1s', max_age: '1s' } });
    await store(one, Buffer.from('brief as the lightning'));
    const sweeps = () =>
      [one, other].flatMap(
        ({ program }) => logOf(program).filter(({ msg }) => msg === 'sweep done') as unknown as Swept[],
      );
    await one.program.until('several sweeps', () => sweeps().length >= 4, 90);
    const spans = sweeps().map(({ time, ms }) => [time - ms, time] as const);
    const sorted = spans.sort(([a], [b]) => a - b);
    // Logged a little after the end, and rounded.
    for (const [i, [start]] of sorted.entries()) assert.ok(start + 5 >= (sorted[i - 1]?.[1] ?? 0));
    assert.equal(
      sweeps().reduce((sum, { expired }) => sum + expired, 0),
      1,
    );
  });

  test('a kill of one, and of PostgreSQL, amid uploads loses none that was answered', async (t) => {
    const [one, other, instances] = await two(t);
    const body = randomBytes(100_000);
    const traffic = keepUploading([one.url, other.url], body);
    try {
      await traffic.more(20);
      await one.stop('SIGKILL');
      await traffic.more(20);
      await instances.restart(0);
      await traffic.more(20);
      await postgres.kill();
      await postgres.start();
      await traffic.more(20);
    } finally {
      await traffic.stop();
    }
    await assertAllThere(traffic.stored, body);
    const { code, stdout, stderr } = await other.run('fsck');
    assert.equal(code, 0, stdout + stderr);
    for (const porter of instances.all) assert.equal((await ask(`${porter.url}/readyz`)).status, 200);
  });

  for (const [name, kind] of Object.entries(balancers)) {
    describe(`behind ${name}`, { skip: needs(name as keyof typeof balancers) }, () => {
      let balanced: Balanced;
      before(async () => {
        balanced = await startBalanced(kind, { ledger: await postgres.newPlace() });
      });
      after(() => balanced?.remove());

      /** Instances that have stored something. */
      const storing = () =>
        balanced.all.filter(({ program }) => logOf(program).some(({ msg }) => msg === 'upload stored'));

      test('uploads and downloads are spread, and a kill of one amid them loses none', async () => {
        const { url, ca } = balanced;
        const body = randomBytes(300_000);
        const traffic = keepUploading([url], body, ca);
        try {
          await traffic.more(30);
          assert.equal(storing().length, 2);
          await balanced.all[0]?.stop('SIGKILL');
          await traffic.more(30);
          await balanced.restart(0);
          await traffic.more(30);
        } finally {
          await traffic.stop();
        }
        await assertAllThere(traffic.stored, body, ca);
      });

      test('a refusal comes through, and the answers name the address of the balancer', async () => {
        const { url, ca } = balanced;
        const slot: Slot = await askSlot({ url }, { size: 5, ca });
        assert.ok(slot.put.startsWith(`${url}/`) && slot.get.startsWith(`${url}/`));
        const wrong = await ask(slot.put, { method: 'PUT', body: 'too much of a good thing', ca });
        assert.equal(wrong.status, 400);
        assert.equal((await ask(slot.put, { method: 'PUT', body: 'alone', ca })).status, 201);
        const part = await ask(slot.get, { headers: { Range: 'bytes=1-2' }, ca });
        assert.deepEqual([part.status, part.text], [206, 'lo']);
      });
    });
  }
});

describe('several instances at one PostgreSQL and one bucket', { skip: needs('postgresql', 'ceph') }, () => {
  test('share files, and lose nothing that was answered when one is killed', async (t) => {
    const [postgres, s3] = await Promise.all([startPostgres(), startS3()]);
    t.after(() => Promise.all([postgres.remove(), s3.remove()]));
    const blobs = s3.place(await s3.newBucket());
    const instances = await startInstances({ ledger: await postgres.newPlace(), blobs, env: s3.env });
    t.after(() => instances.remove());
    const urls = instances.all.map(({ url }) => url);
    const body = randomBytes(100_000);
    const traffic = keepUploading(urls, body);
    try {
      await traffic.more(20);
      await instances.all[0]?.stop('SIGKILL');
      await traffic.more(20);
      await instances.restart(0);
      await traffic.more(20);
    } finally {
      await traffic.stop();
    }
    for (const url of urls) {
      const here = traffic.stored.map((link) => new URL(new URL(link).pathname, url).href);
      await assertAllThere(here, body);
    }
    const cwd = instances.all[1]?.folder ?? '';
    const { code, stdout, stderr } = await runPorter(['fsck', '-c', 'porter.yml'], { cwd, env: s3.env });
    assert.equal(code, 0, stdout + stderr);
  });
});

interface Swept {
  /** When it ended, and how long it took, ms. */
  readonly time: number;
  readonly ms: number;
  readonly expired: number;
}
