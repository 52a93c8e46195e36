import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { version } from '../../../src/base/package-files.ts';

const ROOT = join(import.meta.dirname, '../../..');
const BIN = join(ROOT, 'bin/porter.js');

/** A Node.js of Debian 13, which is older than Porter needs. */
const SYSTEM_NODE = '/usr/bin/node';
const isOld =
  existsSync(SYSTEM_NODE) && Number(/^v(\d+)/.exec(String(execFileSync(SYSTEM_NODE, ['-v'])))?.[1]) < 24;

test('the command of a checkout works without a build', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [BIN, '--version'], { encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, `${version}\n`, '']);
});

test('an old Node.js ends with one sentence, which names the version that Porter needs', {
  skip: !isOld && 'needs an old Node.js',
}, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'porter-old-node-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // The main file of the package, as the build writes it.
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), [
    ...['--ignoreConfig', '--module', 'nodenext', '--target', 'esnext', '--noCheck', '--noResolve'],
    ...['--rewriteRelativeImportExtensions', '--outDir', folder, join(ROOT, 'src/main.ts')],
  ]);
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  cpSync(BIN, join(folder, 'porter.js'));
  for (const file of ['main.js', 'porter.js']) {
    const { stdout, stderr, status } = spawnSync(SYSTEM_NODE, [join(folder, file), 'serve'], {
      encoding: 'utf8',
    });
    assert.equal(status, 1, file);
    assert.equal(stdout, '');
    assert.match(stderr, /^Porter needs Node\.js 24 or newer; this is \d+\.\d+\.\d+\.\n$/, file);
  }
});
