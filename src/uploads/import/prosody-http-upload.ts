import { basename, dirname, join } from 'node:path';
import { toFoundFile } from './link-trees.ts';
import { readLuaItems } from './lua.ts';
import { decodeStoreName, luaText, luaTimestampMs } from './prosody.ts';
import type { ImportProblem, ImportSource } from './source.ts';
import { isFolder, listFolder, walkFiles } from './walk-folder.ts';

const STORE = 'http_upload';
const LIST = '.list';

/**
 * Prosody's community module `mod_http_upload`: `<data>/http_upload/<slot>/<name>`, with the owner of each slot in
 * `<data>/<host>/http_upload/<user>.list`. Accepts the data folder, the folder of a host, or an `http_upload` folder.
 */
export const prosodyHttpUpload: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  layout: "Prosody's data folder, with http_upload/RANDOM/NAME",
  async *files({ folder }) {
    const data = await findDataFolder(folder);
    const problems: ImportProblem[] = [];
    const slots = await readSlots(data, problems);
    yield* problems;
    for await (const file of walkFiles(join(data, STORE))) {
      if (file.names.length !== 2) continue;
      const slot = slots.get(file.names[0] ?? '');
      yield toFoundFile(file, slot && { owner: slot.owner, storedAt: slot.when ?? file.modifiedAt });
    }
  },
};

async function findDataFolder(folder: string): Promise<string> {
  if (basename(folder) === STORE && !(await hasLists(folder))) return dirname(folder);
  const store = (await hasLists(folder)) ? folder : join(folder, STORE);
  if (!(await hasLists(store))) return folder;
  return dirname(dirname(store));
}

async function hasLists(folder: string): Promise<boolean> {
  for await (const { name, kind } of listFolder(folder))
    if (kind === 'file' && name.endsWith(LIST)) return true;
  return false;
}

type Slots = ReadonlyMap<string, { owner: string; when: number | null }>;

async function readSlots(data: string, problems: ImportProblem[]): Promise<Slots> {
  const slots = new Map<string, { owner: string; when: number | null }>();
  for await (const { name: host, kind } of listFolder(data)) {
    const folder = join(data, host, STORE);
    if (kind !== 'folder' || !(await isFolder(folder))) continue;
    for await (const { name } of listFolder(folder)) {
      if (!name.endsWith(LIST)) continue;
      const list = join(folder, name);
      const owner = `${decodeStoreName(name.slice(0, -LIST.length))}@${decodeStoreName(host)}`;
      const onInvalid = (line: number) =>
        problems.push({ file: list, problem: `the entry that ends at line ${line} cannot be parsed` });
      for await (const item of readLuaItems(list, onInvalid)) {
        const slot = luaText(item.get('dir'));
        if (slot !== null) slots.set(slot, { owner, when: luaTimestampMs(item.get('time')) });
      }
    }
  }
  return slots;
}
