import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

const LAUNCHER = join(import.meta.dirname, '../../../packaging/debian/launcher.sh');

/** Runs the launcher with programs that print how they are called, in place of Node.js and of the tools that change the user. */
describe('The command of the Debian package', () => {
  let folder: string;
  let service: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'porter-launcher-'));
    service = join(folder, 'porter.yml');
    const addProgram = (name: string, script: string) => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(folder, name), 0o755);
    };
    for (const file of ['porter.yml', 'other.yml']) writeFileSync(join(folder, file), '');
    symlinkSync('porter.yml', join(folder, 'link.yml'));
    addProgram('id', 'echo "$TEST_UID"');
    addProgram('getent', '');
    addProgram('setpriv', 'echo "as porter"');
    mkdirSync(join(folder, 'lib/bin'), { recursive: true });
    addProgram('lib/bin/node', 'echo "as the caller"');
    const script = readFileSync(LAUNCHER, 'utf8');
    addProgram(
      'porter',
      script.replaceAll('/etc/porter/porter.yml', service).replaceAll('/usr/lib/porter', join(folder, 'lib')),
    );
  });
  after(() => rmSync(folder, { recursive: true }));

  function userOf(
    args: readonly string[],
    { uid = 0, config }: { uid?: number; config?: string } = {},
  ): string {
    const { stdout, stderr } = spawnSync(join(folder, 'porter'), args, {
      cwd: folder,
      encoding: 'utf8',
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        TEST_UID: String(uid),
        ...(config !== undefined && { PORTER_CONFIG: config }),
      },
    });
    assert.equal(stderr, '');
    return stdout.trim();
  }

  test('runs as the user of the service if root uses its config, however it is given', () => {
    const calls = [
      ['users'],
      ['users', '-c', service],
      ['-c', service, 'users'],
      ['users', `-c${service}`],
      ['users', '--config', service],
      ['users', `--config=${service}`],
      ['users', '-c', 'porter.yml'],
      ['users', '-c', './link.yml'],
      ['send', 'romeo@example.org', '-m', 'init'],
    ];
    for (const args of calls) assert.equal(userOf(args), 'as porter', args.join(' '));
    assert.equal(userOf(['users'], { config: service }), 'as porter');
    assert.equal(userOf(['users', '-c', service], { config: 'other.yml' }), 'as porter');
  });

  test('runs as root with another config, whose user only the admin knows', () => {
    for (const args of [
      ['users', '-c', 'other.yml'],
      ['users', '--config=other.yml'],
      ['users', '-c', 'missing.yml'],
    ])
      assert.equal(userOf(args), 'as the caller', args.join(' '));
    assert.equal(userOf(['users'], { config: 'other.yml' }), 'as the caller');
  });

  test('runs as root if it writes the config of the service', () => {
    for (const args of [
      ['init', '--force'],
      ['-c', service, 'init'],
      ['completion', 'bash'],
    ])
      assert.equal(userOf(args), 'as the caller', args.join(' '));
  });

  test('never changes the user for other users', () => {
    assert.equal(userOf(['users', '-c', service], { uid: 1000 }), 'as the caller');
  });
});
