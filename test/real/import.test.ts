import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { ask } from './ask.ts';
import { fetchAll, type ImportReport, jsonOf, type Row } from './imports.ts';
import { type OldFile, oldServices } from './old-services.ts';
import { type RunningPorter, startPorter, temporaryFolder } from './porter.ts';

describe('the files of another service', () => {
  let porter: RunningPorter;
  const all: OldFile[] = [];
  before(async () => {
    porter = await startPorter();
  });
  after(() => porter.remove());

  for (const { from, options, make } of oldServices) {
    test(`${from}: every old link works beside the running server, and nothing comes twice`, async (t) => {
      const folder = await temporaryFolder();
      t.after(() => rm(folder, { recursive: true, force: true }));
      const files = await make(folder);
      const command = ['import', '--from', from, ...(options?.(folder) ?? []), folder];

      const rehearsal = await jsonOf<ImportReport>(porter, ...command, '--dry-run');
      assert.deepEqual([rehearsal.imported, rehearsal.problems], [files.length, 0]);
      for (const { link } of files) {
        assert.equal((await ask(`${porter.url}${link}`)).status, 404, 'a dry run changes nothing');
      }

      const report = await jsonOf<ImportReport>(porter, ...command);
      assert.deepEqual([report.imported, report.linked, report.problems], [files.length, files.length, 0]);
      await fetchAll(porter, files);
      all.push(...files);

      const again = await jsonOf<ImportReport>(porter, ...command);
      assert.deepEqual([again.imported, again.already], [0, files.length]);
    });
  }

  test('all of them together are charged to their owners, and all is well', async () => {
    const rows = await jsonOf<Row[]>(porter, 'uploads');
    const told = rows.map(({ owner, size, type, door, stored }) => [owner, size, type, door, stored]);
    const expected = all.map((file) => [
      file.owner,
      Buffer.byteLength(file.bytes),
      file.type,
      'import',
      new Date(file.storedAt).toISOString(),
    ]);
    assert.deepEqual(told.toSorted(), expected.toSorted());
    const { faults, uploads } = await jsonOf<{ faults: number; uploads: number }>(porter, 'fsck');
    assert.deepEqual([faults, uploads], [0, all.length]);
  });
});
