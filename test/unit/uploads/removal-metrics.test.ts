import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eraseOwner, removeUploads } from '../../../src/uploads/remove.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { access, DAY, openTestServices, retention } from '../../support/test-services.ts';

type Environment = Awaited<ReturnType<typeof openTestServices>>;

/** Returns the removed uploads and their bytes by reason. */
async function removals({ services }: Environment): Promise<Record<string, [number, number]>> {
  const values = async (name: string) => {
    const { values } = (await services.metrics.registry.getSingleMetric(name)?.get()) ?? assert.fail(name);
    return new Map(
      values.filter(({ value }) => value > 0).map(({ labels, value }) => [String(labels.reason), value]),
    );
  };
  const bytes = await values('porter_removed_bytes_total');
  const uploads = await values('porter_removed_uploads_total');
  return Object.fromEntries([...uploads].map(([reason, count]) => [reason, [count, bytes.get(reason) ?? 0]]));
}

const OWNER = 'romeo@example.org';

/** Removes the stored upload of 100 bytes with this id for a reason. */
const REMOVE: Readonly<Record<string, (env: Environment, id: string) => Promise<unknown>>> = {
  deleted: ({ services }, id) => removeUploads(services, { ids: [id], reason: 'deleted', detail: '' }),
  forgotten: ({ services }) => eraseOwner(services, OWNER),
  async expired({ services, advance }) {
    advance(31 * DAY);
    await runSweep(services, { keepRecords: null });
  },
  async soft_quota({ services, setRules }) {
    setRules({ retention: { ...retention, soft_quota: 50 } });
    await runSweep(services, { keepRecords: null });
  },
  async evicted({ requestSlot, setRules }) {
    setRules({ access: access({ max_total_size: 150, when_full: 'evict' }) });
    await requestSlot();
  },
};

describe('the metrics of removals', () => {
  for (const [reason, remove] of Object.entries(REMOVE)) {
    test(`count the file and its bytes if it is ${reason}`, async (t) => {
      const env = await openTestServices(t);
      const { id } = await env.upload();
      await remove(env, id);
      assert.deepEqual(await removals(env), { [reason]: [1, 100] });
    });
  }

  test('count a file that made room because it had expired', async (t) => {
    const env = await openTestServices(t);
    env.setRules({ access: access({ max_total_size: 150 }) });
    await env.upload();
    env.advance(31 * DAY);
    await env.requestSlot();
    assert.deepEqual(await removals(env), { expired: [1, 100] });
  });
});
