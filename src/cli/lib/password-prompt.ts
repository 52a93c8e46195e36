import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { CommandContext } from './command-context.ts';
import { CommandError, usageError } from './command-error.ts';

/** Asks a person for a line that nobody else shall see. */
export async function promptPassword(
  { stdin: input, stderr }: CommandContext,
  question: string,
): Promise<string> {
  if (!input?.isTTY) throw usageError('There is nobody to ask for the password: give it as PORTER_PASSWORD.');
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: silence, terminal: true });
  stderr.write(question);
  try {
    return await lines.question('');
  } catch (error) {
    // Ctrl+C, Ctrl+D.
    throw new CommandError('No password was given.', 1, error);
  } finally {
    lines.close();
    stderr.write('\n');
  }
}
