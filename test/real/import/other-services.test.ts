import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { assertFilesServed, type ImportReport, runJsonCommand, type UploadRow } from './import-report.ts';
import { type OldFile, oldServices } from './old-services.ts';

describe('The files of another service', () => {
  let porter: PorterProcess;
  const all: OldFile[] = [];
  before(async () => {
    porter = await startPorter();
  });
  after(() => porter.remove());

  for (const { from, options, createFiles } of oldServices) {
    test(`${from}: every old link works without a restart, and a second import adds nothing`, async (t) => {
      const folder = await createTemporaryFolder();
      t.after(() => rm(folder, { recursive: true, force: true }));
      const files = await createFiles(folder);
      const command = ['import', '--from', from, ...(options?.(folder) ?? []), folder];

      const rehearsal = await runJsonCommand<ImportReport>(porter, ...command, '--dry-run');
      assert.deepEqual([rehearsal.imported, rehearsal.problems], [files.length, 0]);
      for (const { link } of files) {
        assert.equal((await httpRequest(`${porter.url}${link}`)).status, 404, 'a dry run changes nothing');
      }

      const report = await runJsonCommand<ImportReport>(porter, ...command);
      assert.deepEqual([report.imported, report.linked, report.problems], [files.length, files.length, 0]);
      await assertFilesServed(porter, files);
      all.push(...files);

      const again = await runJsonCommand<ImportReport>(porter, ...command);
      assert.deepEqual([again.imported, again.already], [0, files.length]);
    });
  }

  test('are charged to their owners, and fsck finds no problem', async () => {
    const rows = await runJsonCommand<UploadRow[]>(porter, 'uploads');
    const imported = rows.map(({ owner, size, type, endpoint, stored }) => [
      owner,
      size,
      type,
      endpoint,
      stored,
    ]);
    const expected = all.map((file) => [
      file.owner,
      Buffer.byteLength(file.bytes),
      file.type,
      'import',
      new Date(file.storedAt).toISOString(),
    ]);
    assert.deepEqual(imported.toSorted(), expected.toSorted());
    const { faults, uploads } = await runJsonCommand<{ faults: number; uploads: number }>(porter, 'fsck');
    assert.deepEqual([faults, uploads], [0, all.length]);
  });
});
