import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { CommandContext } from './command-context.ts';
import { CommandError, EXIT_CODE, usageError } from './command-error.ts';

/** Asks for a password on the terminal without showing it. Throws a usage error if stdin is not a terminal. */
export async function promptPassword({ stdin, stderr }: CommandContext, question: string): Promise<string> {
  if (!stdin?.isTTY) {
    throw usageError('Cannot ask for the password: stdin is not a terminal. Set PORTER_PASSWORD.');
  }
  const discarded = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: discarded, terminal: true });
  stderr.write(question);
  try {
    return await lines.question('');
  } catch (error) {
    // Ctrl+C or Ctrl+D.
    throw new CommandError('No password was given.', EXIT_CODE.failed, error);
  } finally {
    lines.close();
    stderr.write('\n');
  }
}
