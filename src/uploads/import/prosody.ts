import { basename, dirname, join } from 'node:path';
import { entriesOf, isFolder, look } from './folders.ts';
import type { FoundFile, Problem, Source } from './found.ts';
import { type LuaTable, type LuaValue, readItems } from './lua.ts';

const STORE = 'http_file_share';

/**
 * Prosody's `mod_http_file_share`: `<data>/<host>/http_file_share/<slot>.bin`, the rest in
 * `<data>/<host>/uploads.list`. The data folder, a host's folder and the store itself are all understood.
 */
export const prosody: Source = {
  basePaths: ['/file_share/'],
  door: 'file_share',
  async *files({ folder }) {
    for (const host of await hostFolders(folder)) yield* filesOfHost(host);
  },
};

async function hostFolders(folder: string): Promise<string[]> {
  if (basename(folder) === STORE) return [dirname(folder)];
  if (await isFolder(join(folder, STORE))) return [folder];
  const hosts: string[] = [];
  for await (const { name, kind } of entriesOf(folder)) {
    if (kind === 'folder' && (await isFolder(join(folder, name, STORE)))) hosts.push(join(folder, name));
  }
  return hosts.sort();
}

async function* filesOfHost(host: string): AsyncGenerator<FoundFile | Problem> {
  const list = join(host, 'uploads.list');
  const slots = new Set<string>();
  const problems: Problem[] = [];
  const broken = (line: number) =>
    problems.push({ file: list, problem: `the entry that ends at line ${line} cannot be read` });
  if (await look(list)) {
    for await (const item of readItems(list, broken)) {
      yield* problems.splice(0);
      const record = readRecord(item);
      const lying = record && (await look(join(host, STORE, `${encodeName(record.slot)}.bin`)));
      // A slot that was never used, or a file that has expired.
      if (!lying || slots.has(record.slot)) continue;
      slots.add(record.slot);
      const { slot, name, type, owner, when } = record;
      const { file, size, modifiedAt } = lying;
      yield { path: `${slot}/${name}`, file, size, owner, name, type, storedAt: when ?? modifiedAt };
    }
  }
  yield* problems;
  yield* unnamed(host, slots);
}

/** Files whose links nobody can tell: their names are in the list alone (or in a database). */
async function* unnamed(host: string, slots: ReadonlySet<string>): AsyncGenerator<Problem> {
  for await (const { name } of entriesOf(join(host, STORE))) {
    if (!name.endsWith('.bin') || slots.has(decodeName(name.slice(0, -'.bin'.length)))) continue;
    yield {
      file: join(host, STORE, name),
      problem: 'uploads.list has no entry for it, so its link is not known',
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

function readRecord(item: LuaTable): SlotRecord | undefined {
  const attributes = item.get('attr');
  if (!(attributes instanceof Map)) return undefined;
  const slot = textOf(item.get('key'));
  const name = textOf(attributes.get('filename'));
  if (slot === null || name === null) return undefined;
  const type = textOf(attributes.get('content-type'));
  return { slot, name, type, owner: textOf(item.get('with')), when: momentOf(item.get('when')) };
}

export function textOf(value: LuaValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Lua has seconds. */
export function momentOf(value: LuaValue | undefined): number | null {
  return typeof value === 'number' && value > 0 && value < 1e11 ? Math.floor(value * 1000) : null;
}

/** As datamanager names files: every byte but letters and digits as `%xx`. */
export function encodeName(name: string): string {
  const bytes = Buffer.from(name).toString('latin1');
  return bytes.replace(/[^0-9A-Za-z]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function decodeName(name: string): string {
  const bytes = name.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
