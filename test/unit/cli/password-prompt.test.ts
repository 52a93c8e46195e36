import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { promptPassword } from '../../../src/cli/lib/api-access.ts';
import { CommandError } from '../../../src/cli/lib/command-error.ts';
import { createCapturedContext } from './run-command.ts';

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
