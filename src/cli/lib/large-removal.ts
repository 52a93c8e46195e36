import { formatCount } from '../../base/units.ts';
import { isLargeRemoval } from '../../uploads/remove.ts';
import { CommandError } from './command-error.ts';

/** Throws if a removal would remove more than a tenth of all files. `command`: the command line with --force, for the error text. */
export function requireForce(removed: number, total: number, command: string): void {
  if (!isLargeRemoval(removed, total)) return;
  throw new CommandError(
    `This would remove ${removed} of ${formatCount(total, 'file')}, which is more than 10 %. ` +
      `Nothing was removed. To remove them, run: ${command}`,
  );
}
