import { basename, join } from 'node:path';
import type { OwnerLookup } from './owner-lookup.ts';
import type { FoundFile, ImportSource, SourceOptions } from './source.ts';
import { type FileOnDisk, isFolder, walkFiles } from './walk-folder.ts';

/** A file of a service whose folder structure equals the decoded paths of its links. */
type FileInTree = FileOnDisk & { readonly names: readonly string[] };

export function toFoundFile(file: FileInTree, more: Partial<FoundFile> = {}): FoundFile {
  const { names, path, size, modifiedAt } = file;
  const linkPath = names.join('/');
  return {
    linkPath,
    file: path,
    size,
    owner: null,
    name: names.at(-1) ?? '',
    type: null,
    storedAt: modifiedAt,
    ...more,
  };
}

const SHA1 = /^[0-9a-f]{40}$/i;

/** Returns the owner whose JID has the SHA-1 in the first path segment. */
function ownerFromHash({ names }: FileInTree, owners: OwnerLookup): string | null {
  const [first = ''] = names;
  if (names.length !== 3) return null;
  return SHA1.test(first) ? owners.bySha1(first) : null;
}

/** ejabberd's `mod_http_upload`: `docroot/<sha1 of the JID, or its local part>/<random>/<name>`. */
export const ejabberd: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  layout: 'docroot of mod_http_upload, with HASH/RANDOM/NAME',
  async *files({ folder, owners }) {
    for await (const file of walkFiles(folder)) {
      const [first = ''] = file.names;
      const owner =
        ownerFromHash(file, owners) ?? (file.names.length === 3 ? ownerFromLocalPart(first, owners) : null);
      yield toFoundFile(file, { owner });
    }
  },
};

function ownerFromLocalPart(node: string, owners: OwnerLookup): string {
  return owners.byNode(node) ?? `node:${node}`;
}

/** prosody-filer, and nginx with ngx_http_upload: the folder structure equals the link paths. */
export const prosodyFiler: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  layout: 'the store folder, whose paths are those of the links',
  async *files({ folder, owners }) {
    for await (const file of walkFiles(folder))
      yield toFoundFile(file, { owner: ownerFromHash(file, owners) });
  },
};

const BASE64_SHA1 = /^[\w-]{27}$/;

/** HttpUploadComponent: `<base64url of the JID's SHA-1>/<random>/<name>`. */
export const httpUploadComponent: ImportSource = {
  basePaths: ['/'],
  endpoint: 'external',
  layout: 'the storage folder, with HASH/RANDOM/NAME',
  async *files({ folder, owners }) {
    for await (const file of walkFiles(folder)) {
      const [first = ''] = file.names;
      if (file.names.length !== 3 || !BASE64_SHA1.test(first)) continue;
      yield toFoundFile(file, { owner: owners.bySha1(Buffer.from(first, 'base64url').toString('hex')) });
    }
  },
};

/** Tigase's DirectoryStore: `[<bare JID>/]<slot>/<name>`. Its download links contain only slot and name. */
export const tigase: ImportSource = {
  basePaths: ['/upload/'],
  endpoint: 'external',
  layout: 'the upload folder, with SLOT/NAME or JID/SLOT/NAME',
  async *files({ folder }: SourceOptions) {
    for await (const file of walkFiles(folder)) {
      const [jid, ...rest] = file.names;
      if (file.names.length === 2) yield toFoundFile(file);
      else if (rest.length === 2) yield toFoundFile(file, { linkPath: rest.join('/'), owner: jid ?? null });
    }
  },
};

/** Returns the subfolder of this name if there is one, else the folder itself. */
export async function resolveSubfolder(folder: string, name: string): Promise<string> {
  const subfolder = join(folder, name);
  return basename(folder) !== name && (await isFolder(subfolder)) ? subfolder : folder;
}
