import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import mime from 'mime';
import type { FoundFile, ImportProblem, ImportSource } from './source.ts';
import { listFolder, statFile } from './walk-folder.ts';

const STORED = /^store-([0-9a-f]{64})$/;
/** Longest media type that share_v2.php accepts. */
const MAX_TYPE_LENGTH = 255;

/**
 * Reads the layout of share.php, share_v2.php and Metronome: `store-<SHA-256 of the decoded path>`, with the media type in
 * `…-type` beside it. File names are not stored.
 */
async function* hashedFiles(folder: string): AsyncGenerator<FoundFile | ImportProblem> {
  for await (const { name, kind } of listFolder(folder)) {
    const sha256 = STORED.exec(name)?.[1];
    if (kind !== 'file' || sha256 === undefined) continue;
    const stored = await statFile(join(folder, name));
    if (!stored) continue;
    const type = await readTypeFile(stored.path);
    const extension = type === null ? null : mime.getExtension(type);
    yield {
      linkPath: { sha256 },
      file: stored.path,
      size: stored.size,
      owner: null,
      name: extension === null ? 'file' : `file.${extension}`,
      type,
      storedAt: stored.modifiedAt,
    };
  }
}

async function readTypeFile(file: string): Promise<string | null> {
  const typeFile = await statFile(`${file}-type`);
  if (!typeFile || typeFile.size > MAX_TYPE_LENGTH) return null;
  return (await readFile(typeFile.path, 'utf8')).trim() || null;
}

export const sharePhp: ImportSource = {
  basePaths: ['/upload/share.php/'],
  endpoint: 'external',
  layout: 'the folder of the uploaded files, with names of 64 hex digits',
  files: ({ folder }) => hashedFiles(folder),
};

export const metronome: ImportSource = {
  basePaths: ['/share.php/'],
  endpoint: 'external',
  layout: 'the folder of the uploaded files, with names of 64 hex digits',
  files: ({ folder }) => hashedFiles(folder),
};
