import { readFile } from 'node:fs/promises';
import { foundInTree } from './link-trees.ts';
import type { ImportSource } from './source.ts';
import { statFile, walkFiles } from './walk-folder.ts';

const DATA = '.data';
/** Notes hold one header; whatever is larger is none. */
const LARGEST_NOTE = 64 * 1024;

/** horazont's xmpp-http-upload: `<path>.data`, with the headers of its answer as JSON in `<path>.meta`. */
export const xmppHttpUpload: ImportSource = {
  basePaths: ['/'],
  endpoint: 'external',
  async *files({ folder }) {
    for await (const lying of walkFiles(folder)) {
      const last = lying.names.at(-1) ?? '';
      if (!last.endsWith(DATA)) continue;
      const names = [...lying.names.slice(0, -1), last.slice(0, -DATA.length)];
      const type = await typeIn(`${lying.path.slice(0, -DATA.length)}.meta`);
      yield foundInTree({ ...lying, names }, { type });
    }
  },
};

async function typeIn(note: string): Promise<string | null> {
  const lying = await statFile(note);
  if (!lying || lying.size > LARGEST_NOTE) return null;
  try {
    const { headers } = JSON.parse(await readFile(note, 'utf8')) as { headers?: Record<string, unknown> };
    const type = headers?.['Content-Type'];
    return typeof type === 'string' ? type : null;
  } catch (failure) {
    if (failure instanceof SyntaxError || failure instanceof TypeError) return null;
    throw failure;
  }
}
