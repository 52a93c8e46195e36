import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SORTED_FILES } from '../../../src/ledger/contract/ledger.ts';
import { listUserFiles } from '../../../src/uploads/user-files/user-files.ts';
import { openTestServices } from '../../support/test-services.ts';

test('a user with very many files can sort them only in the orders that have an index', async (t) => {
  const { services } = await openTestServices(t);
  let uploads = SORTED_FILES + 1;
  const usage = { uploads, bytes: 0, pendingUploads: 0, pendingBytes: 0 };
  const ledger = {
    ...services.ledger,
    usage: async (owner: string) => ({ ...usage, uploads: owner.startsWith('sha1:') ? 0 : uploads }),
  };
  const list = (sort: 'newest' | 'largest' | 'smallest' | 'name') =>
    listUserFiles({ ledger }, 'romeo@example.org', { sort, limit: 50 });
  for (const sort of ['name', 'smallest'] as const)
    await assert.rejects(list(sort), /You have 20001 files\. More than 20000 can only be sorted by time/);
  for (const sort of ['newest', 'largest'] as const) assert.deepEqual((await list(sort)).files, []);
  uploads = SORTED_FILES;
  assert.deepEqual((await list('name')).files, []);
});
