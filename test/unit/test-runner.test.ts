import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runProgram } from '../real/support/program.ts';

const TEST = join(import.meta.dirname, '..');

describe('npm test', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-harness-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function run(source: string) {
    const file = join(folder, 'a.test.ts');
    await writeFile(file, source);
    // Node runs no tests inside of tests, so the variable is removed as in a new shell.
    return runProgram('env', ['-u', 'NODE_TEST_CONTEXT', process.execPath, join(TEST, 'run.ts'), file]);
  }

  test('passes if all tests pass, and prints the summary', async () => {
    const { code, stdout } = await run("import { test } from 'node:test'; test('fine', () => {});");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /ℹ tests 1\n[\s\S]*ℹ pass 1\nℹ fail 0\n/);
  });

  test('fails if one test fails', async () => {
    const { code, stdout } = await run("import { test } from 'node:test'; test('bad', () => { throw 1; });");
    assert.equal(code, 1);
    assert.match(stdout, /ℹ fail 1\n/);
  });

  test('kills a program that a failed test has left running', async () => {
    const { code, stdout } = await run(`
      import { test } from 'node:test';
      import { Program } from '${join(TEST, 'real/support/program.ts')}';
      test('leaves a process running', () => { throw new Error('left ' + new Program('sleep', ['600']).pid); });
    `);
    assert.equal(code, 1);
    const pid = Number(/left (\d+)/.exec(stdout)?.[1]);
    assert.ok(pid > 0, stdout);
    // Gone, or dead and only not yet collected.
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone Z');
    assert.match(state, / Z\b/);
  });

  test('fails for a file without tests or with a syntax error', async () => {
    const empty = await run('export {};');
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /a\.test\.ts has no tests/);
    assert.equal((await run('this is no program')).code, 1);
  });
});

describe('a test that needs a peer', () => {
  /** `needs` in a process that finds no programs. */
  const needs = (peer: string, required: string) =>
    runProgram(
      process.execPath,
      ['-e', `import('./real/peers/peers.ts').then(({ needs }) => console.log(needs('${peer}')))`],
      { cwd: TEST, env: { PATH: '/nowhere', PORTER_REQUIRE_PEERS: required } },
    );

  test('is skipped with the name of the missing peer', async () => {
    const { stdout } = await needs('profanity', '');
    assert.equal(stdout.trim(), 'needs profanity (Debian: apt-get install profanity)');
  });

  test('fails instead if peers are required, as in CI', async () => {
    const { code, stderr } = await needs('profanity', '1');
    assert.notEqual(code, 0);
    assert.match(stderr, /needs profanity .*PORTER_REQUIRE_PEERS=1 does not allow skipping/);
  });
});
