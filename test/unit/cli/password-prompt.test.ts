import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { CommandError } from '../../../src/cli/lib/command-error.ts';
import { promptPassword } from '../../../src/cli/lib/password-prompt.ts';
import { createCapturedContext } from './run-command.ts';

const QUESTION = 'Password of romeo@example.org: ';

/** What a person types, and what the terminal shows meanwhile. */
function type(keys: string): { answer: Promise<string>; shown: () => string } {
  const paper = createCapturedContext();
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const answer = promptPassword({ ...paper, stdin: input }, QUESTION);
  input.write(keys);
  return { answer, shown: () => paper.stderr.text };
}

describe('a password that is asked for', () => {
  test('is taken as it is typed, and never shown', async () => {
    const { answer, shown } = type('wrö\u{7f}ong pw\r');
    assert.equal(await answer, 'wrong pw');
    assert.equal(shown(), `${QUESTION}\n`);
  });

  test('may be refused: with Ctrl+C or Ctrl+D the command ends in words', async () => {
    for (const key of ['\u{3}', '\u{4}']) {
      const { answer, shown } = type(key);
      await assert.rejects(answer, new CommandError('No password was given.'));
      assert.equal(shown(), `${QUESTION}\n`);
    }
  });

  test('is not waited for where there is no terminal', async () => {
    const input = new PassThrough();
    await assert.rejects(
      promptPassword({ ...createCapturedContext(), stdin: input }, QUESTION),
      /PORTER_PASSWORD/,
    );
  });
});
