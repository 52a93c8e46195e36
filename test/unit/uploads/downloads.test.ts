import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createDownloads } from '../../../src/uploads/downloads.ts';
import { createFileCache } from '../../../src/uploads/file-cache.ts';
import { eraseOwner, removeUploads } from '../../../src/uploads/remove.ts';
import { openTestServices } from '../../support/test-services.ts';

describe('a download', () => {
  for (const [how, remove] of [
    ['removed', (services, id) => removeUploads(services, { ids: [id], reason: 'deleted', detail: '' })],
    ['erased with its owner', (services) => eraseOwner(services, 'romeo@example.org')],
  ] satisfies [string, (services: Services, id: string) => Promise<unknown>][]) {
    test(`of a file that this process has ${how} is refused at once`, async (t) => {
      const env = await openTestServices(t);
      // Entries stay fresh, however slow this machine is.
      const services = { ...env.services, fileCache: createFileCache({ ttlMs: 3600_000 }) };
      const downloads = createDownloads(services);
      const { id } = await env.upload();
      assert.ok(await downloads.find(id));
      assert.ok(downloads.cached(id));
      await remove(services, id);
      assert.equal(downloads.cached(id), undefined);
      assert.equal(await downloads.find(id), undefined);
    });
  }

  test('finds a file that was stored after another request had looked for it', async (t) => {
    const { services, requestSlot, fill } = await openTestServices(t);
    const looked = Promise.withResolvers<void>();
    const stored = Promise.withResolvers<void>();
    let looks = 0;
    const ledger = {
      ...services.ledger,
      async find(locator: string) {
        looks += 1;
        const isFirst = looks === 1;
        const found = await services.ledger.find(locator);
        if (isFirst) {
          looked.resolve();
          await stored.promise;
        }
        return found;
      },
    };
    const downloads = createDownloads({ ...services, ledger });
    const slot = await requestSlot();
    const early = downloads.find(slot.id);
    await looked.promise;
    await fill(slot);
    const late = downloads.find(slot.id);
    stored.resolve();
    assert.equal(await early, undefined);
    assert.equal((await late)?.upload.id, slot.id);
  });
});

type Services = Awaited<ReturnType<typeof openTestServices>>['services'];
