import { basename, join } from 'node:path';
import type { OwnerLookup } from './owner-lookup.ts';
import type { FoundFile, ImportSource, SourceOptions } from './source.ts';
import { type FileOnDisk, isFolder, walkFiles } from './walk-folder.ts';

/** Services whose folder looks like their links: the names on disk are those of the decoded path. */
type InTree = FileOnDisk & { readonly names: readonly string[] };

function toFoundFile(lying: InTree, more: Partial<FoundFile> = {}): FoundFile {
  const { names, path: file, size, modifiedAt } = lying;
  const linkPath = names.join('/');
  return {
    linkPath,
    file,
    size,
    owner: null,
    name: names.at(-1) ?? '',
    type: null,
    storedAt: modifiedAt,
    ...more,
  };
}

const SHA1 = /^[0-9a-f]{40}$/i;

/** ejabberd puts the owner first: the hash of the JID or its local part. */
function ownerInFront({ names }: InTree, people: OwnerLookup): string | null {
  const [first = ''] = names;
  if (names.length !== 3) return null;
  return SHA1.test(first) ? people.bySha1(first) : null;
}

/** ejabberd's `mod_http_upload`: `docroot/<sha1 of the JID, or its local part>/<random>/<name>`. */
export const ejabberd: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  async *files({ folder, owners }) {
    for await (const lying of walkFiles(folder)) {
      const [first = ''] = lying.names;
      const owner =
        ownerInFront(lying, owners) ?? (lying.names.length === 3 ? nodeOwner(first, owners) : null);
      yield toFoundFile(lying, { owner });
    }
  },
};

function nodeOwner(node: string, people: OwnerLookup): string {
  return people.byNode(node) ?? `node:${node}`;
}

/** prosody-filer, and nginx with ngx_http_upload: the store is the tree of all links. */
export const prosodyFiler: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  async *files({ folder, owners }) {
    for await (const lying of walkFiles(folder))
      yield toFoundFile(lying, { owner: ownerInFront(lying, owners) });
  },
};

const BASE64_SHA1 = /^[\w-]{27}$/;

/** HttpUploadComponent: `<base64url of the JID's SHA-1>/<random>/<name>`. */
export const httpUploadComponent: ImportSource = {
  basePaths: ['/'],
  endpoint: 'external',
  async *files({ folder, owners }) {
    for await (const lying of walkFiles(folder)) {
      const [first = ''] = lying.names;
      if (lying.names.length !== 3 || !BASE64_SHA1.test(first)) continue;
      yield toFoundFile(lying, { owner: owners.bySha1(Buffer.from(first, 'base64url').toString('hex')) });
    }
  },
};

/** Tigase's DirectoryStore: `[<bare JID>/]<slot>/<name>`; its download links have slot and name only. */
export const tigase: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  async *files({ folder }: SourceOptions) {
    for await (const lying of walkFiles(folder)) {
      const [jid, ...rest] = lying.names;
      if (lying.names.length === 2) yield toFoundFile(lying);
      else if (rest.length === 2) yield toFoundFile(lying, { linkPath: rest.join('/'), owner: jid ?? null });
    }
  },
};

/** The folder itself, or one of this name in it. */
export async function resolveSubfolder(folder: string, name: string): Promise<string> {
  const below = join(folder, name);
  return basename(folder) !== name && (await isFolder(below)) ? below : folder;
}

export { toFoundFile as foundInTree };
