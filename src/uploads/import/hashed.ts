import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import mime from 'mime';
import { entriesOf, look } from './folders.ts';
import type { FoundFile, Problem, Source } from './found.ts';

const STORED = /^store-([0-9a-f]{64})$/;
/** As long as a media type may be in share_v2.php. */
const LONGEST_TYPE = 255;

/**
 * share.php, share_v2.php and Metronome's: `store-<SHA-256 of the decoded path>`, the media type beside it in
 * `…-type`. No name is kept anywhere; the file is found when its link is asked for.
 */
async function* hashedFiles(folder: string): AsyncGenerator<FoundFile | Problem> {
  for await (const { name, kind } of entriesOf(folder)) {
    const sha256 = STORED.exec(name)?.[1];
    if (kind !== 'file' || sha256 === undefined) continue;
    const lying = await look(join(folder, name));
    if (!lying) continue;
    const type = await typeBeside(lying.file);
    const ending = type === null ? null : mime.getExtension(type);
    yield {
      path: { sha256 },
      file: lying.file,
      size: lying.size,
      owner: null,
      name: ending === null ? 'file' : `file.${ending}`,
      type,
      storedAt: lying.modifiedAt,
    };
  }
}

async function typeBeside(file: string): Promise<string | null> {
  const note = await look(`${file}-type`);
  if (!note || note.size > LONGEST_TYPE) return null;
  return (await readFile(note.file, 'utf8')).trim() || null;
}

export const sharePhp: Source = {
  basePaths: ['/upload/share.php/'],
  door: 'external',
  files: ({ folder }) => hashedFiles(folder),
};

export const metronome: Source = {
  basePaths: ['/share.php/'],
  door: 'external',
  files: ({ folder }) => hashedFiles(folder),
};
