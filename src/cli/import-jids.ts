import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { UploadDeps } from '../uploads/deps.ts';
import { listOwners } from '../uploads/list.ts';
import type { Shell } from './shell.ts';

/** Everybody whom the other service may have meant: as told, out of a file, in the config, or with files here. */
export async function* jidsFrom(
  shell: Shell,
  deps: UploadDeps,
  { owner = [], jids }: { readonly owner?: readonly string[]; readonly jids?: string },
): AsyncGenerator<string> {
  yield* owner;
  if (jids !== undefined) {
    const file = await open(resolve(shell.folder, jids));
    for await (const line of file.readLines()) yield line.trim();
  }
  yield* deps.rules().jidsBySha1?.values() ?? [];
  for await (const known of listOwners(deps)) yield known.owner;
}
