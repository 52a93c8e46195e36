import { basename, dirname, join } from 'node:path';
import { type LuaTable, type LuaValue, readLuaItems } from './lua.ts';
import { readProsodyArchive } from './prosody-sqlite.ts';
import type { FoundFile, ImportProblem, ImportSource } from './source.ts';
import { isFolder, listFolder, statFile } from './walk-folder.ts';

const STORE = 'http_file_share';

/**
 * Prosody's `mod_http_file_share`: `<data>/<host>/http_file_share/<slot>.bin`, with the metadata in
 * `<data>/<host>/uploads.list` or in `<data>/prosody.sqlite`. Accepts the data folder, the folder of a host, or the
 * `http_file_share` folder.
 */
export const prosody: ImportSource = {
  basePaths: ['/file_share/'],
  endpoint: 'file_share',
  layout: "Prosody's data folder, with HOST/http_file_share/*.bin",
  async *files({ folder }) {
    for (const host of await findHostFolders(folder)) yield* readHostFiles(host);
  },
};

async function findHostFolders(folder: string): Promise<string[]> {
  if (basename(folder) === STORE) return [dirname(folder)];
  if (await isFolder(join(folder, STORE))) return [folder];
  const hosts: string[] = [];
  for await (const { name, kind } of listFolder(folder)) {
    if (kind === 'folder' && (await isFolder(join(folder, name, STORE)))) hosts.push(join(folder, name));
  }
  return hosts.sort();
}

async function* readHostFiles(host: string): AsyncGenerator<FoundFile | ImportProblem> {
  const slots = new Set<string>();
  for await (const record of readRecords(host)) {
    if ('problem' in record) {
      yield record;
      continue;
    }
    const stored = await statFile(join(host, STORE, `${encodeStoreName(record.slot)}.bin`));
    // The slot was never used, or the file has expired.
    if (!stored || slots.has(record.slot)) continue;
    slots.add(record.slot);
    const { slot, name, type, owner, when } = record;
    const { path: file, size, modifiedAt } = stored;
    yield { linkPath: `${slot}/${name}`, file, size, owner, name, type, storedAt: when ?? modifiedAt };
  }
  yield* findFilesWithoutRecord(host, slots);
}

/** Reads Prosody's internal storage, and its SQLite database if it exists at the default path. */
async function* readRecords(host: string): AsyncGenerator<SlotRecord | ImportProblem> {
  const list = join(host, 'uploads.list');
  const problems: ImportProblem[] = [];
  const onInvalid = (line: number) =>
    problems.push({ file: list, problem: `the entry that ends at line ${line} cannot be parsed` });
  if (await statFile(list)) {
    for await (const item of readLuaItems(list, onInvalid)) {
      yield* problems.splice(0);
      const record = parseRecord(item);
      if (record) yield record;
    }
  }
  yield* problems;
  const database = join(dirname(host), 'prosody.sqlite');
  if (!(await statFile(database))) return;
  for (const row of readProsodyArchive(database, decodeStoreName(basename(host)))) {
    const name = row.attributes.get('filename');
    if (name === undefined) continue;
    const type = row.attributes.get('content-type') || null;
    yield { slot: row.key, name, type, owner: row.with || null, when: luaTimestampMs(row.when) };
  }
}

/** Reports files without a record. Their links are unknown, because only records contain file names. */
async function* findFilesWithoutRecord(
  host: string,
  slots: ReadonlySet<string>,
): AsyncGenerator<ImportProblem> {
  for await (const { name } of listFolder(join(host, STORE))) {
    if (!name.endsWith('.bin') || slots.has(decodeStoreName(name.slice(0, -'.bin'.length)))) continue;
    yield {
      file: join(host, STORE, name),
      problem: 'it has no record, so its link is unknown',
    };
  }
}

interface SlotRecord {
  readonly slot: string;
  readonly name: string;
  readonly type: string | null;
  readonly owner: string | null;
  readonly when: number | null;
}

function parseRecord(item: LuaTable): SlotRecord | undefined {
  const attributes = item.get('attr');
  if (!(attributes instanceof Map)) return undefined;
  const slot = luaText(item.get('key'));
  const name = luaText(attributes.get('filename'));
  if (slot === null || name === null) return undefined;
  const type = luaText(attributes.get('content-type'));
  return { slot, name, type, owner: luaText(item.get('with')), when: luaTimestampMs(item.get('when')) };
}

export function luaText(value: LuaValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Converts seconds to ms. Returns null for values that are not plausible timestamps. */
export function luaTimestampMs(value: LuaValue | undefined): number | null {
  return typeof value === 'number' && value > 0 && value < 1e11 ? Math.floor(value * 1000) : null;
}

/** Encodes a name as Prosody's `util.datamanager` does: every byte except letters and digits as `%xx`. */
export function encodeStoreName(name: string): string {
  const bytes = Buffer.from(name).toString('latin1');
  return bytes.replace(/[^0-9A-Za-z]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function decodeStoreName(name: string): string {
  const bytes = name.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
