import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { foundInTree, resolveSubfolder } from './link-trees.ts';
import type { ImportSource } from './source.ts';
import { walkFiles } from './walk-folder.ts';

/** What `manage.py dumpdata xmpp_http_upload.upload` says of one upload. */
interface DjangoRecord {
  readonly jid: string;
  readonly name: string;
  readonly type: string | null;
  readonly uploaded: number | null;
}

/**
 * django-xmpp-http-upload: `MEDIA_ROOT/http_upload/<hash>/<name>`; owner, type and true name are in its database,
 * of which `dumpdata` gives a copy whatever the engine.
 */
export const django: ImportSource = {
  // Its own view, wherever the app was mounted, and MEDIA_URL, which is what it hands out unless told otherwise.
  basePaths: ['/share/', '/share/share/', '/http_upload/share/', '/media/http_upload/'],
  endpoint: 'external',
  takesRecords: true,
  async *files({ folder, records }) {
    const known = records === undefined ? new Map<string, DjangoRecord>() : await readRecords(records);
    for await (const lying of walkFiles(await resolveSubfolder(folder, 'http_upload'))) {
      const [hash = '', name = ''] = lying.names;
      if (lying.names.length !== 2) continue;
      const record = known.get(`${hash}/${name}`) ?? known.get(hash);
      if (!record) yield foundInTree(lying);
      else {
        const { jid: owner, type, uploaded } = record;
        const more = { owner, type, name: record.name, storedAt: uploaded ?? lying.modifiedAt };
        yield foundInTree(lying, { ...more, linkPath: `${hash}/${record.name}` });
      }
    }
  },
};

async function readRecords(file: string): Promise<Map<string, DjangoRecord>> {
  const rows: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!Array.isArray(rows)) throw new SyntaxError('That is no list of records.');
  const records = new Map<string, DjangoRecord>();
  for (const row of rows) {
    const fields = (row as { fields?: Record<string, unknown> }).fields ?? {};
    const text = (key: string) => (typeof fields[key] === 'string' ? (fields[key] as string) : '');
    if (text('hash') === '' || text('name') === '') continue;
    const uploaded = Date.parse(text('uploaded') || text('created'));
    records.set(keyOf(text('hash'), text('file')), {
      jid: text('jid'),
      name: text('name'),
      type: text('type') || null,
      uploaded: Number.isNaN(uploaded) ? null : uploaded,
    });
  }
  return records;
}

/** A hash has one upload; the name on disk may differ from that in the link. */
function keyOf(hash: string, file: string): string {
  return file === '' ? hash : `${hash}/${basename(file)}`;
}
