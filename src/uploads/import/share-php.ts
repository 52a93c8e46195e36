import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import mime from 'mime';
import type { FoundFile, ImportProblem, ImportSource } from './source.ts';
import { listFolder, statFile } from './walk-folder.ts';

const STORED = /^store-([0-9a-f]{64})$/;
/** As long as a media type may be in share_v2.php. */
const LONGEST_TYPE = 255;

/**
 * share.php, share_v2.php and Metronome's: `store-<SHA-256 of the decoded path>`, the media type beside it in
 * `…-type`. No name is kept anywhere; the file is found when its link is asked for.
 */
async function* hashedFiles(folder: string): AsyncGenerator<FoundFile | ImportProblem> {
  for await (const { name, kind } of listFolder(folder)) {
    const sha256 = STORED.exec(name)?.[1];
    if (kind !== 'file' || sha256 === undefined) continue;
    const lying = await statFile(join(folder, name));
    if (!lying) continue;
    const type = await typeBeside(lying.path);
    const ending = type === null ? null : mime.getExtension(type);
    yield {
      linkPath: { sha256 },
      file: lying.path,
      size: lying.size,
      owner: null,
      name: ending === null ? 'file' : `file.${ending}`,
      type,
      storedAt: lying.modifiedAt,
    };
  }
}

async function typeBeside(file: string): Promise<string | null> {
  const note = await statFile(`${file}-type`);
  if (!note || note.size > LONGEST_TYPE) return null;
  return (await readFile(note.path, 'utf8')).trim() || null;
}

export const sharePhp: ImportSource = {
  basePaths: ['/upload/share.php/'],
  endpoint: 'external',
  files: ({ folder }) => hashedFiles(folder),
};

export const metronome: ImportSource = {
  basePaths: ['/share.php/'],
  endpoint: 'external',
  files: ({ folder }) => hashedFiles(folder),
};
