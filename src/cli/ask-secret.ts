import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CommandFailure, usageError } from './fail.ts';
import type { Shell } from './shell.ts';

/** Asks a person for a line that nobody else shall see. */
export async function askSecret({ in: input, err }: Shell, question: string): Promise<string> {
  if (!input?.isTTY) throw usageError('There is nobody to ask for the password: give it as PORTER_PASSWORD.');
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: silence, terminal: true });
  err.write(question);
  try {
    return await lines.question('');
  } catch (error) {
    // Ctrl+C, Ctrl+D.
    throw new CommandFailure('No password was given.', 1, error);
  } finally {
    lines.close();
    err.write('\n');
  }
}
