import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createLog } from '../../../src/base/log.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { openRuntime } from '../../../src/server/runtime.ts';
import { runCommand } from './run-command.ts';

describe('the tables and summaries of commands', () => {
  test('add up, have links, ages and one form of times, and numbers that agree with their nouns', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-summary-'));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(
      join(folder, 'porter.yml'),
      "public_url: https://upload.example.org\naccess: [{jid: '@example\\.org$'}]\nfile_share: {secret: a-secret-of-16-letters}\n",
    );
    const runtime = await openRuntime(
      await loadConfig(join(folder, 'porter.yml'), {}),
      createLog({ level: 'silent', format: 'json' }),
    );
    await runtime.close();

    const files = join(folder, 'old');
    await mkdir(join(files, 'a'), { recursive: true });
    await writeFile(join(files, 'a', 'one.txt'), '1');
    await symlink('/etc/passwd', join(files, 'a', 'link.txt'));
    const importFiles = (...more: readonly string[]) =>
      runCommand(folder, ['import', '--from', 'prosody-filer', files, ...more]);

    const first = await importFiles();
    assert.match(
      first.out,
      /^(\d+) files? found:\n {2}1 imported \(1 byte, [01] of them as hard links?\)$/m,
      first.err,
    );
    await writeFile(join(files, 'a', 'two.txt'), '22');
    const second = await importFiles();
    const [, found = ''] = /^(\d+) files? found:/.exec(second.out) ?? [];
    const parts = [...second.out.matchAll(/^ {2}(\d+) /gm)].map(([, count]) => Number(count));
    assert.equal(
      parts.reduce((sum, count) => sum + count, 0),
      Number(found),
      second.out,
    );
    assert.match(second.out, /^ {2}1 imported before$/m);
    const {
      files: total,
      imported,
      already,
      removed,
      expired,
      problems,
    } = JSON.parse((await importFiles('--json')).out);
    assert.equal(imported + already + removed + expired + problems, total);

    const rows = (await runCommand(folder, ['uploads'])).out.trim().split('\n');
    assert.equal(rows[0], 'STATE\tOWNER\tSIZE\tAGE\tEXPIRES (UTC)\tNAME\tLINK OR ID');
    assert.match(
      rows[1] ?? '',
      /^uploaded\timport:prosody-filer\t\d bytes?\t\d+ seconds?\t20\d\d-\d\d-\d\d \d\d:\d\d\t\w+\.txt\t[0-9a-z]{26}$/,
    );
    assert.match((await runCommand(folder, ['users'])).out, /\t\d{4}-\d\d-\d\d \d\d:\d\d$/m);
    assert.match((await runCommand(folder, ['stats'])).out, /^stored {3}2 files, 3 bytes$/m);
    assert.match(
      (await runCommand(folder, ['fsck'])).out,
      /^2 uploads in the database, 2 stored files: no faults\.$/m,
    );
    const dry = await runCommand(folder, ['forget', '--dry-run', 'romeo@example.org']);
    assert.match(
      dry.out,
      /^0 files of romeo@example\.org \(0 bytes\) and 0 pending slots would be removed\.$/m,
    );
  });
});
