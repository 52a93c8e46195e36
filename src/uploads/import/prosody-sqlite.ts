import { DatabaseSync } from 'node:sqlite';
import { decodeXml } from './xml.ts';

/** An entry of Prosody's `uploads` archive. Text as it is, times in seconds. */
export interface ArchiveRow {
  readonly key: string;
  readonly with: string;
  readonly when: number;
  /** Attributes of the request that was stored. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** Rows that are read at a time: between them the database is Prosody's own again. */
const PAGE = 1000;

/** The `uploads` of one host in the SQLite file that Prosody's `storage = "sql"` keeps, the oldest first. */
export function* readProsodyArchive(file: string, host: string): Generator<ArchiveRow> {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    if (!db.prepare("select 1 from sqlite_master where name = 'prosodyarchive'").get()) return;
    const page = db.prepare(
      `select sort_id, "key", "with", "when", "value" from prosodyarchive
        where "host" = ? and "store" = 'uploads' and "type" = 'xml' and sort_id > ? order by sort_id limit ${PAGE}`,
    );
    for (let after = 0, rows = page.all(host, after); rows.length > 0; rows = page.all(host, after)) {
      yield* rows.map(rowOf);
      after = Number(rows.at(-1)?.sort_id);
    }
  } finally {
    db.close();
  }
}

function rowOf(row: Readonly<Record<string, unknown>>): ArchiveRow {
  return {
    key: String(row.key),
    with: String(row.with),
    when: Number(row.when),
    attributes: attributesOf(String(row.value)),
  };
}

const ATTRIBUTE = /\s([\w:-]+)\s*=\s*(?:'([^']*)'|"([^"]*)")/g;

/** Of the outermost element. Nothing inside it is looked at. */
function attributesOf(xml: string): Map<string, string> {
  const tag = /^<[^>]*>/.exec(xml)?.[0] ?? '';
  const found = [...tag.matchAll(ATTRIBUTE)];
  return new Map(found.map(([, name = '', single, double]) => [name, decodeXml(single ?? double ?? '')]));
}
