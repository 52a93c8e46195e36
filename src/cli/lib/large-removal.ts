import { CommandError } from './command-error.ts';

/** A command that would remove a larger share of all files needs `--force`. */
const MAX_REMOVED_SHARE = 0.1;

/** Throws if a removal takes more than a tenth of all files. `command`: the command line that does it anyway. */
export function requireForce(removed: number, total: number, command: string): void {
  if (removed <= total * MAX_REMOVED_SHARE) return;
  throw new CommandError(
    `This would remove ${removed} of ${total} ${total === 1 ? 'file' : 'files'}, which is more than 10 %. ` +
      `Nothing was removed. If that is meant, run: ${command}`,
  );
}
