import { readFile } from 'node:fs/promises';
import { toFoundFile } from './link-trees.ts';
import type { ImportSource } from './source.ts';
import { statFile, walkFiles } from './walk-folder.ts';

const DATA_SUFFIX = '.data';
/** A metadata file contains a few headers. Larger files are ignored. */
const MAX_METADATA_BYTES = 64 * 1024;

/** horazont's xmpp-http-upload: `<path>.data`, with the response headers as JSON in `<path>.meta`. */
export const xmppHttpUpload: ImportSource = {
  basePaths: ['/'],
  endpoint: 'external',
  layout: 'the folder with the files *.data and *.meta',
  async *files({ folder }) {
    for await (const file of walkFiles(folder)) {
      const last = file.names.at(-1) ?? '';
      if (!last.endsWith(DATA_SUFFIX)) continue;
      const names = [...file.names.slice(0, -1), last.slice(0, -DATA_SUFFIX.length)];
      const type = await readType(`${file.path.slice(0, -DATA_SUFFIX.length)}.meta`);
      yield toFoundFile({ ...file, names }, { type });
    }
  },
};

async function readType(metadataFile: string): Promise<string | null> {
  const stats = await statFile(metadataFile);
  if (!stats || stats.size > MAX_METADATA_BYTES) return null;
  try {
    const { headers } = JSON.parse(await readFile(metadataFile, 'utf8')) as {
      headers?: Record<string, unknown>;
    };
    const type = headers?.['Content-Type'];
    return typeof type === 'string' ? type : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
