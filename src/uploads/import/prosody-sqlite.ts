import { DatabaseSync } from 'node:sqlite';

/** An entry of Prosody's `uploads` archive. */
export interface ArchiveRow {
  readonly key: string;
  readonly with: string;
  /** Seconds since 1970. */
  readonly when: number;
  /** Attributes of the stored slot request. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** Rows per query. Between queries the database is not locked. */
const PAGE = 1000;

/** Yields the `uploads` archive of a host from the SQLite database of Prosody's `storage = "sql"`, oldest first. */
export function* readProsodyArchive(file: string, host: string): Generator<ArchiveRow> {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    if (!db.prepare("select 1 from sqlite_master where name = 'prosodyarchive'").get()) return;
    const page = db.prepare(
      `select sort_id, "key", "with", "when", "value" from prosodyarchive
        where "host" = ? and "store" = 'uploads' and "type" = 'xml' and sort_id > ? order by sort_id limit ${PAGE}`,
    );
    for (let after = 0, rows = page.all(host, after); rows.length > 0; rows = page.all(host, after)) {
      yield* rows.map(toArchiveRow);
      after = Number(rows.at(-1)?.sort_id);
    }
  } finally {
    db.close();
  }
}

function toArchiveRow(row: Readonly<Record<string, unknown>>): ArchiveRow {
  return {
    key: String(row.key),
    with: String(row.with),
    when: Number(row.when),
    attributes: parseAttributes(String(row.value)),
  };
}

const ATTRIBUTE = /\s([\w:-]+)\s*=\s*(?:'([^']*)'|"([^"]*)")/g;

/** Returns the attributes of the outermost element. */
function parseAttributes(xml: string): Map<string, string> {
  const tag = /^<[^>]*>/.exec(xml)?.[0] ?? '';
  const found = [...tag.matchAll(ATTRIBUTE)];
  return new Map(found.map(([, name = '', single, double]) => [name, decodeXml(single ?? double ?? '')]));
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Decodes the entities in the text of an XML attribute. Leaves invalid ones as they are. */
function decodeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
