import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { createTemporaryFolder, startPorter } from '../support/porter-process.ts';
import { runProgram } from '../support/program.ts';
import { runDoctor } from '../support/run-doctor.ts';
import { getSlot, openSlotConfig, uploadFile } from '../support/slots.ts';

const BODY = Buffer.from('some text');

/** Makes a file immutable, or puts a folder in its place where that is not supported. Returns how to undo it. */
async function makeUndeletable(file: string): Promise<() => Promise<unknown>> {
  const { code } = await runProgram('chattr', ['+i', file]).catch(() => ({ code: 1 }));
  if (code === 0) return () => runProgram('chattr', ['-i', file]);
  const kept = join(await createTemporaryFolder(), 'kept');
  await rename(file, kept);
  await mkdir(file);
  return async () => {
    await rmdir(file);
    await rename(kept, file);
  };
}

test('a file that cannot be deleted fails no command, and is named until it is gone', async () => {
  const porter = await startPorter({ config: openSlotConfig });
  const blobs = () => globSync(join(porter.folder, 'data/blobs/??/*'));
  const run = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await porter.runCommand(...args);
    return { code, output: stdout + stderr };
  };
  const succeed = async (...args: readonly string[]) => {
    const { code, output } = await run(...args);
    assert.equal(code, 0, output);
  };
  const stuckLink = await uploadFile(porter, BODY);
  const [stuck = ''] = blobs();
  const release = await makeUndeletable(stuck);
  try {
    const other = await uploadFile(porter, BODY);
    await succeed('delete', stuckLink, other);
    assert.deepEqual(blobs(), [stuck]);
    assert.equal((await httpRequest(stuckLink)).status, 404);

    const slot = await getSlot(porter, { jid: 'juliet@example.org', size: BODY.length });
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body: BODY })).status, 201);
    await succeed('forget', 'juliet@example.org', '--force');
    await uploadFile(porter, BODY);
    await succeed('cleanup', '--max-age', '0s', '--force');
    assert.deepEqual(blobs(), [stuck]);

    const key = stuck.split('/').slice(-2).join('/');
    for (const args of [['fsck'], ['fsck', '--repair']]) {
      const { code, output } = await run(...args);
      assert.equal(code, 1, output);
      assert.ok(output.includes(`undeletable: ${key}`), output);
    }
    const { findings, output } = await runDoctor(join(porter.folder, 'porter.yml'));
    const found = findings.find(({ check }) => check === 'deletions');
    assert.equal(found?.state, 'warn', output);
    assert.ok(found.text.includes(key), found.text);
  } finally {
    await release();
  }
  try {
    await succeed('fsck', '--repair');
    assert.deepEqual(blobs(), []);
    await succeed('fsck');
  } finally {
    await porter.remove();
  }
});
