import { createHash } from 'node:crypto';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file as another service stored it, and its link. */
export interface OldFile {
  /** Path and query of the link. */
  readonly link: string;
  readonly bytes: string;
  readonly type: string;
  /** The owner in the ledger. */
  readonly owner: string;
  /** Milliseconds since 1970. */
  readonly storedAt: number;
}

/** A service whose folder is created as its documentation and source describe (docs/protocols.md, "Import layouts"). */
export interface OldService {
  readonly from: string;
  /** Options of `porter import` besides `--from`. */
  readonly options?: (folder: string) => readonly string[];
  createFiles(folder: string): Promise<readonly OldFile[]>;
}

export const JULIET = 'juliet@example.org';
const DAY = 86_400_000;
/** Yesterday, in whole seconds. */
export const STORED_AT = Math.floor((Date.now() - DAY) / 1000) * 1000;

const sha1 = (text: string) => createHash('sha1').update(text);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function put(folder: string, path: string, bytes: string): Promise<void> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  await utimes(file, STORED_AT / 1000, STORED_AT / 1000);
}

const NAMES = [
  'Foto (1).JPG',
  'très cool.jpg',
  'a+b 100%.txt',
  '\'"<&>.html',
  '日本語.pdf',
  '..x',
  '%41.png',
];
const TYPES: Readonly<Record<string, string>> = {
  JPG: 'image/jpeg',
  jpg: 'image/jpeg',
  txt: 'text/plain',
  html: 'text/html',
  pdf: 'application/pdf',
  png: 'image/png',
};
const typeOf = (name: string) => TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream';

/** Creates files whose path on disk is the path of their link, one per name. */
async function tree(
  folder: string,
  base: string,
  owner: string,
  pathOf: (name: string, i: number) => string,
) {
  const files: OldFile[] = [];
  for (const [i, name] of NAMES.entries()) {
    const path = pathOf(name, i);
    const bytes = `${base}${path}`;
    await put(folder, path, bytes);
    const link = `${base}${path.split('/').map(encodeURIComponent).join('/')}`;
    files.push({ link, bytes, type: typeOf(name), owner, storedAt: STORED_AT });
  }
  return files;
}

const ejabberd: OldService = {
  from: 'ejabberd',
  options: () => ['--owner', JULIET],
  createFiles: async (folder) => {
    const known = sha1(JULIET).digest('hex');
    const unknown = sha1('tybalt@example.org').digest('hex');
    return [
      ...(await tree(
        folder,
        '/upload/',
        JULIET,
        (name, i) => `${known}/${'A1'.repeat(19)}${10 + i}/${name}`,
      )),
      ...(await tree(
        folder,
        '/upload/',
        `sha1:${unknown}`,
        (name, i) => `${unknown}/${'b2'.repeat(19)}${10 + i}/${name}`,
      )),
      ...(await tree(folder, '/upload/', JULIET, (name, i) => `juliet/${'c3'.repeat(19)}${10 + i}/${name}`)),
    ];
  },
};

const prosodyFiler: OldService = {
  from: 'prosody-filer',
  createFiles: (folder) =>
    tree(folder, '/upload/', 'import:prosody-filer', (name, i) => `3d1b2c7e-${i}/${name}`),
};

const httpUploadComponent: OldService = {
  from: 'http-upload-component',
  options: () => ['--base-path', 'https://huc.example.org:8080/huc', '--owner', JULIET],
  createFiles: async (folder) => {
    // Its default storage path is its working directory.
    await put(folder, 'httpupload/server.py', 'print()');
    const user = sha1(JULIET).digest('base64url');
    return tree(folder, '/huc/', JULIET, (name, i) => `${user}/random${i}/${name}`);
  },
};

const DJANGO_NAME = 'a b.jpg';
const HASH = 'Zx09'.repeat(8);

const django: OldService = {
  from: 'django',
  options: (folder) => ['--records', join(folder, 'dump.json')],
  async createFiles(folder) {
    const files = await tree(
      folder,
      '/media/http_upload/',
      'import:django',
      (name, i) => `http_upload/${i}${HASH.slice(1)}/${name}`,
    );
    // Django's storage normalizes file names; the link has the requested name.
    await put(folder, `http_upload/${HASH}/a_b.jpg`, 'with a record');
    const fields = {
      jid: JULIET,
      name: DJANGO_NAME,
      size: 13,
      type: 'image/x-special',
      hash: HASH,
      file: `http_upload/${HASH}/a_b.jpg`,
      created: new Date(STORED_AT - 5000).toISOString(),
      uploaded: new Date(STORED_AT - 3000).toISOString(),
    };
    await writeFile(
      join(folder, 'dump.json'),
      JSON.stringify([{ model: 'xmpp_http_upload.upload', pk: 1, fields }]),
    );
    return [
      ...files.map((file) => ({
        ...file,
        link: file.link.replace('http_upload/http_upload', 'http_upload'),
      })),
      {
        link: `/share/${HASH}/a%20b.jpg`,
        bytes: 'with a record',
        type: 'image/x-special',
        owner: JULIET,
        storedAt: STORED_AT - 3000,
      },
    ];
  },
};

const xmppHttpUpload: OldService = {
  from: 'xmpp-http-upload',
  async createFiles(folder) {
    const files: OldFile[] = [];
    for (const [i, name] of NAMES.entries()) {
      const path = `horazont-${i}/${name}`;
      await put(folder, `${path}.data`, path);
      await put(folder, `${path}.meta`, JSON.stringify({ headers: { 'Content-Type': `image/x-${i}` } }));
      const link = `/${path.split('/').map(encodeURIComponent).join('/')}`;
      files.push({
        link,
        bytes: path,
        type: `image/x-${i}`,
        owner: 'import:xmpp-http-upload',
        storedAt: STORED_AT,
      });
    }
    return files;
  },
};

function hashed(from: string, base: string): OldService {
  return {
    from,
    options: () => ['--base-path', base],
    async createFiles(folder) {
      const files: OldFile[] = [];
      for (const [i, name] of NAMES.entries()) {
        const path = `${from}-${i}/${name}`;
        const type = i % 2 ? `image/x-${i}` : 'application/octet-stream';
        await put(folder, `store-${sha256(path)}`, path);
        if (i % 2) await put(folder, `store-${sha256(path)}-type`, type);
        const link = `${base}${path.split('/').map(encodeURIComponent).join('/')}`;
        files.push({ link, bytes: path, type, owner: `import:${from}`, storedAt: STORED_AT });
      }
      return files;
    },
  };
}

const tigase: OldService = {
  from: 'tigase',
  options: () => ['--base-path', '/tigase/'],
  async createFiles(folder) {
    const plain = await tree(folder, '/tigase/', 'import:tigase', (name, i) => `${i}f0e-4c21/${name}`);
    const owned = await tree(folder, '/tigase/', JULIET, (name, i) => `${JULIET}/${i}abc-9b77/${name}`);
    const userPath = `/tigase/${encodeURIComponent(JULIET)}/`;
    return [...plain, ...owned.map((file) => ({ ...file, link: file.link.replace(userPath, '/tigase/') }))];
  },
};

/** Services that are not packaged in Debian. */
export const oldServices: readonly OldService[] = [
  ejabberd,
  prosodyFiler,
  httpUploadComponent,
  django,
  xmppHttpUpload,
  hashed('share-php', '/files-of/share.php/'),
  hashed('metronome', '/metronome/share.php/'),
  tigase,
];
