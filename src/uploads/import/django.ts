import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { resolveSubfolder, toFoundFile } from './link-trees.ts';
import type { ImportSource } from './source.ts';
import { walkFiles } from './walk-folder.ts';

/** One upload in the output of `manage.py dumpdata xmpp_http_upload.upload`. */
interface DjangoRecord {
  readonly jid: string;
  readonly name: string;
  readonly type: string | null;
  readonly uploaded: number | null;
}

/**
 * django-xmpp-http-upload: `MEDIA_ROOT/http_upload/<hash>/<name>`. Owner, type and original name are in its database, which
 * `dumpdata` exports from any database engine.
 */
export const django: ImportSource = {
  // The app's own view at its usual mount points, and MEDIA_URL, which its links use by default.
  basePaths: ['/share/', '/share/share/', '/http_upload/share/', '/media/http_upload/'],
  endpoint: 'external',
  layout: 'MEDIA_ROOT of Django, or its folder http_upload, with RANDOM/NAME',
  takesRecords: true,
  async *files({ folder, records }) {
    const recordsByKey = records === undefined ? new Map<string, DjangoRecord>() : await readRecords(records);
    for await (const file of walkFiles(await resolveSubfolder(folder, 'http_upload'))) {
      const [hash = '', name = ''] = file.names;
      if (file.names.length !== 2) continue;
      const record = recordsByKey.get(`${hash}/${name}`) ?? recordsByKey.get(hash);
      if (!record) yield toFoundFile(file);
      else {
        const { jid: owner, type, uploaded } = record;
        const more = { owner, type, name: record.name, storedAt: uploaded ?? file.modifiedAt };
        yield toFoundFile(file, { ...more, linkPath: `${hash}/${record.name}` });
      }
    }
  },
};

async function readRecords(file: string): Promise<Map<string, DjangoRecord>> {
  const rows: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!Array.isArray(rows)) throw new SyntaxError('Not a list of records.');
  const records = new Map<string, DjangoRecord>();
  for (const row of rows) {
    const fields = (row as { fields?: Record<string, unknown> }).fields ?? {};
    const text = (key: string) => (typeof fields[key] === 'string' ? (fields[key] as string) : '');
    if (text('hash') === '' || text('name') === '') continue;
    const uploaded = Date.parse(text('uploaded') || text('created'));
    records.set(recordKey(text('hash'), text('file')), {
      jid: text('jid'),
      name: text('name'),
      type: text('type') || null,
      uploaded: Number.isNaN(uploaded) ? null : uploaded,
    });
  }
  return records;
}

/** The name on disk may differ from the name in the link. Without a stored path, the hash alone identifies the upload. */
function recordKey(hash: string, file: string): string {
  return file === '' ? hash : `${hash}/${basename(file)}`;
}
