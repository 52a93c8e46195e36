import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { iterateOwners } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from './command-context.ts';

/** Everybody whom the other service may have meant: as told, out of a file, in the config, or with files here. */
export async function* candidateJids(
  shell: CommandContext,
  deps: UploadServices,
  { owner = [], jids }: { readonly owner?: readonly string[]; readonly jids?: string },
): AsyncGenerator<string> {
  yield* owner;
  if (jids !== undefined) {
    const file = await open(resolve(shell.cwd, jids));
    for await (const line of file.readLines()) yield line.trim();
  }
  yield* deps.rules().jidsBySha1?.values() ?? [];
  for await (const known of iterateOwners(deps)) yield known.owner;
}
