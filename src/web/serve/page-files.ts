import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import mime from 'mime';
import { programFile } from '../../base/package-files.ts';
import { PAGE_HEADERS } from './page-headers.ts';

const PAGE_FOLDER = fileURLToPath(programFile('web/page/dist/'));

type Encoding = 'br' | 'gzip' | 'identity';

interface PageFile {
  readonly type: string;
  readonly etag: string;
  /** True for a name with a hash of the content. */
  readonly isImmutable: boolean;
  readonly bodies: Readonly<Partial<Record<Encoding, Buffer>>>;
}

const NOT_BUILT = 'The page is not built. Run: npm run build:page\n';
const COMPRESSED = /^(?:text\/|application\/(?:javascript|json|manifest\+json|xml)|image\/svg)/;
/** Vite writes names such as `assets/index-BkFf2d0a.js`. */
const HASHED_NAME = /^assets\/.*-[\w-]{8,}\.\w+$/;

/**
 * Adds the files of the page below `root` (`web.path` without a slash at the end). All links of the page are relative, so it works
 * below any path, also if a reverse proxy removes a part of it.
 */
export function addPageFiles(app: FastifyInstance, root: string, folder: string = PAGE_FOLDER): void {
  let files: Promise<ReadonlyMap<string, PageFile>> | undefined;
  const readOnce = () => {
    files ??= readPage(folder).catch(() => {
      files = undefined;
      return new Map();
    });
    return files;
  };
  if (root !== '') {
    // Relative, because a reverse proxy may have removed a part of the path.
    const location = `${root.split('/').at(-1)}/`;
    app.get(root, async (_request, reply) =>
      reply.code(308).headers(PAGE_HEADERS).header('Location', location).send(),
    );
  }
  app.get(`${root}/*`, async (request, reply) => {
    const path = (request.params as { '*': string })['*'] || 'index.html';
    const page = await readOnce();
    const file = page.get(path);
    if (file) return sendFile(request, reply, file);
    if (page.size > 0 || path !== 'index.html') return reply.callNotFound();
    return reply
      .code(503)
      .headers({ ...PAGE_HEADERS, 'Cache-Control': 'no-store' })
      .type('text/plain; charset=utf-8')
      .send(NOT_BUILT);
  });
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  const encoding = chooseEncoding(file, request.headers['accept-encoding']);
  reply.headers({
    ...PAGE_HEADERS,
    'Cache-Control': file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: `"${file.etag}-${encoding}"`,
    Vary: 'Accept-Encoding',
  });
  if (encoding !== 'identity') reply.header('Content-Encoding', encoding);
  if (request.headers['if-none-match']?.includes(file.etag)) return reply.code(304).send();
  return reply.type(file.type).send(file.bodies[encoding]);
}

function chooseEncoding({ bodies }: PageFile, accepted = ''): Encoding {
  const isAccepted = (name: string) =>
    new RegExp(`(?:^|,)\\s*${name}\\s*(?:,|$|;\\s*q=(?!0(?:\\.0*)?\\s*(?:,|$)))`, 'i').test(accepted);
  return (['br', 'gzip'] as const).find((name) => bodies[name] && isAccepted(name)) ?? 'identity';
}

/** Reads and compresses the whole page, some 100 KB. */
async function readPage(folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const root = folder.endsWith(sep) ? folder : folder + sep;
  const files = await Promise.all(
    paths.map(async (path) => {
      const name = path.slice(root.length).replaceAll(sep, '/');
      return [name, await readPageFile(path, name)] as const;
    }),
  );
  return new Map(files);
}

async function readPageFile(path: string, name: string): Promise<PageFile> {
  const body = await readFile(path);
  const type = mime.getType(name) ?? 'application/octet-stream';
  const isText = COMPRESSED.test(type);
  return {
    type: isText ? `${type}; charset=utf-8` : type,
    etag: createHash('sha256').update(body).digest('base64url').slice(0, 16),
    isImmutable: HASHED_NAME.test(name),
    bodies: { identity: body, ...(isText && (await compress(body))) },
  };
}

async function compress(body: Buffer) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(body, { params }),
    promisify(gzip)(body, { level: 9 }),
  ]);
  return { br, gzip: gz };
}
