import { basename, join } from 'node:path';
import { filesBelow, isFolder, type Lying } from './folders.ts';
import type { FoundFile, Source, SourceOrder } from './found.ts';
import type { People } from './people.ts';

/** Services whose folder looks like their links: the names on disk are those of the decoded path. */
type InTree = Lying & { readonly names: readonly string[] };

function found(lying: InTree, more: Partial<FoundFile> = {}): FoundFile {
  const { names, file, size, modifiedAt } = lying;
  const path = names.join('/');
  return {
    path,
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
function ownerInFront({ names }: InTree, people: People): string | null {
  const [first = ''] = names;
  if (names.length !== 3) return null;
  return SHA1.test(first) ? people.ofSha1(first) : null;
}

/** ejabberd's `mod_http_upload`: `docroot/<sha1 of the JID, or its local part>/<random>/<name>`. */
export const ejabberd: Source = {
  basePaths: ['/upload/'],
  door: 'external',
  async *files({ folder, people }) {
    for await (const lying of filesBelow(folder)) {
      const [first = ''] = lying.names;
      const owner =
        ownerInFront(lying, people) ?? (lying.names.length === 3 ? nodeOwner(first, people) : null);
      yield found(lying, { owner });
    }
  },
};

function nodeOwner(node: string, people: People): string {
  return people.ofNode(node) ?? `node:${node}`;
}

/** prosody-filer, and nginx with ngx_http_upload: the store is the tree of all links. */
export const prosodyFiler: Source = {
  basePaths: ['/upload/'],
  door: 'external',
  async *files({ folder, people }) {
    for await (const lying of filesBelow(folder)) yield found(lying, { owner: ownerInFront(lying, people) });
  },
};

const BASE64_SHA1 = /^[\w-]{27}$/;

/** HttpUploadComponent: `<base64url of the JID's SHA-1>/<random>/<name>`. */
export const httpUploadComponent: Source = {
  basePaths: ['/'],
  door: 'external',
  async *files({ folder, people }) {
    for await (const lying of filesBelow(folder)) {
      const [first = ''] = lying.names;
      if (lying.names.length !== 3 || !BASE64_SHA1.test(first)) continue;
      yield found(lying, { owner: people.ofSha1(Buffer.from(first, 'base64url').toString('hex')) });
    }
  },
};

/** Tigase's DirectoryStore: `[<bare JID>/]<slot>/<name>`; its download links have slot and name only. */
export const tigase: Source = {
  basePaths: ['/upload/'],
  door: 'external',
  async *files({ folder }: SourceOrder) {
    for await (const lying of filesBelow(folder)) {
      const [jid, ...rest] = lying.names;
      if (lying.names.length === 2) yield found(lying);
      else if (rest.length === 2) yield found(lying, { path: rest.join('/'), owner: jid ?? null });
    }
  },
};

/** The folder itself, or one of this name in it. */
export async function folderOrBelow(folder: string, name: string): Promise<string> {
  const below = join(folder, name);
  return basename(folder) !== name && (await isFolder(below)) ? below : folder;
}

export { found as foundInTree };
