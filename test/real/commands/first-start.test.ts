import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { MAIN } from '../../support/paths.ts';
import { needs } from '../peers/peers.ts';
import { createTemporaryFolder, runPorter } from '../support/porter-process.ts';
import { arePortsOpen } from '../support/ports.ts';
import { Program, runProgram } from '../support/program.ts';

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Without a config the port is fixed, so the test is skipped if another program uses it. */
const taken = (await isFree(5050)) ? false : 'port 5050 is taken';

test('without a config Porter serves, and the three shell lines that it prints work as pasted', {
  skip: taken || needs('curl'),
}, async () => {
  const folder = await createTemporaryFolder();
  const porter = new Program(process.execPath, [MAIN, 'serve'], { cwd: folder });
  try {
    await porter.waitFor('the three lines', () => /SLOT=[\s\S]*tail -n 1/.test(porter.stdout));
    assert.ok(await arePortsOpen([5050]));
    const lines = porter.stdout.split('\n').filter((line) => /^\s+(SLOT=|curl )/.test(line));
    assert.equal(lines.length, 3, porter.stdout);
    const pasted = await runProgram('sh', ['-c', lines.join('\n')], { cwd: folder });
    assert.deepEqual([pasted.code, pasted.stdout], [0, 'Hello, world!'], pasted.stderr);
    assert.match(porter.output, /all users of this machine may upload/i);

    const listed = await runPorter(['uploads', '--json'], { cwd: folder });
    const [upload] = JSON.parse(listed.stdout);
    assert.deepEqual([upload.owner, upload.name, upload.size], ['me@localhost', 'hello.txt', 13]);
    const second = await runPorter(['serve'], { cwd: folder });
    assert.equal(second.code, 1);
    assert.match(second.stderr, /5050/);
  } finally {
    const { code } = await porter.stop();
    assert.equal(code, 0, porter.output);
    await rm(folder, { recursive: true });
  }
});

test('with a config without access rules Porter warns that uploads are denied', async () => {
  const folder = await createTemporaryFolder();
  await writeFile(join(folder, 'porter.yml'), 'listen: 127.0.0.1:0\nslot_api: {}\n');
  const porter = new Program(process.execPath, [MAIN, 'serve'], { cwd: folder });
  try {
    await porter.waitFor('the warning', () => /No access rules/.test(porter.output));
  } finally {
    await porter.stop();
    await rm(folder, { recursive: true });
  }
});

test('an invalid config starts nothing, and every error is reported with its line', async () => {
  const folder = await createTemporaryFolder();
  const text = 'listen: 127.0.0.1:0\nacces:\n  - jid: ".*"\nretention: {max_age: soon}\n';
  await writeFile(join(folder, 'porter.yml'), text);
  const { code, stderr } = await runPorter(['serve'], { cwd: folder });
  assert.equal(code, 2);
  assert.match(stderr, /2\b[^\n]*acces\b[^\n]*access/);
  assert.match(stderr, /4\b[^\n]*max_age/);
  assert.deepEqual(await readdir(folder), ['porter.yml']);
  await rm(folder, { recursive: true });
});
