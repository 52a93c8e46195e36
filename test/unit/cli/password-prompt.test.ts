import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { promptPassword, readPassword } from '../../../src/cli/lib/api-access.ts';
import { CommandError } from '../../../src/cli/lib/command-error.ts';
import { createCapturedContext, runCommand } from './run-command.ts';

const QUESTION = 'Password of romeo@example.org: ';

/** Types keys at the prompt. `shown` returns what the terminal shows. */
function typeKeys(keys: string): { answer: Promise<string>; shown: () => string } {
  const context = createCapturedContext();
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const answer = promptPassword({ ...context, stdin: input }, QUESTION);
  input.write(keys);
  return { answer, shown: () => context.stderr.text };
}

describe('promptPassword', () => {
  test('returns the typed password without showing it', async () => {
    const { answer, shown } = typeKeys('wrö\u{7f}ong pw\r');
    assert.equal(await answer, 'wrong pw');
    assert.equal(shown(), `${QUESTION}\n`);
  });

  test('ends the command with a message on Ctrl+C and Ctrl+D', async () => {
    for (const key of ['\u{3}', '\u{4}']) {
      const { answer, shown } = typeKeys(key);
      await assert.rejects(answer, new CommandError('No password was given.'));
      assert.equal(shown(), `${QUESTION}\n`);
    }
  });

  test('fails at once without a terminal', async () => {
    const input = new PassThrough();
    await assert.rejects(
      promptPassword({ ...createCapturedContext(), stdin: input }, QUESTION),
      /PORTER_PASSWORD/,
    );
  });
});

describe('the password of the doctor', () => {
  test('comes from a file, from standard input or from the environment, without its line end', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-password-'));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'password'), ' a b \n');
    const context = createCapturedContext(folder, { PORTER_PASSWORD: 'from env' });
    assert.equal(await readPassword(context, 'romeo@example.org', 'password'), ' a b ');
    const withInput = { ...context, stdin: Readable.from(['from stdin\r\n']) };
    assert.equal(await readPassword(withInput, 'romeo@example.org', '-'), 'from stdin');
    assert.equal(await readPassword(context, 'romeo@example.org', undefined), 'from env');
    const empty = { ...context, stdin: Readable.from([]) };
    await assert.rejects(readPassword(empty, 'romeo@example.org', '-'), /Standard input has no password/);
  });

  test('needs an account, and an account needs messages in the config', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-password-'));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'porter.yml'), 'workers: 1\n');
    const alone = await runCommand(folder, ['doctor', '--password-file', 'x']);
    assert.match(alone.err, /--password-file needs --account/);
    const unused = await runCommand(folder, ['doctor', '--account', 'romeo@example.org']);
    assert.match(unused.err, /--account needs the section messages or web/);
  });
});
