import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import type { BlockedHash, QuarantinedFile } from '../../ledger/contract/ledger.ts';
import { blockFile, unblockFile } from '../../uploads/content/block.ts';
import {
  deleteQuarantined,
  type OpenQuarantined,
  openQuarantined,
  releaseQuarantined,
} from '../../uploads/content/quarantine.ts';
import { API_HEADERS } from '../serve/page-headers.ts';
import type { WebServices } from '../web-services.ts';
import { recordAction } from './audit.ts';
import type { Handlers } from './handlers.ts';
import { isoTime, presentAdminFile, readCursor, writeCursor } from './present.ts';
import type { contentRoutes } from './routes/content-routes.ts';

/** Handlers for admins and moderators: infected and blocked files. */
export function createContentHandlers(services: WebServices): Handlers<keyof typeof contentRoutes> {
  const { ledger } = services;
  return {
    async listQuarantine({ query: { limit, cursor } }) {
      const [foundAt, id] = readCursor(cursor, ['number', 'string']) ?? [];
      const before = foundAt === undefined ? {} : { before: { foundAt: Number(foundAt), id: String(id) } };
      const files = await ledger.listQuarantine({ limit, ...before });
      const last = files.at(-1);
      return {
        files: await Promise.all(files.map((file) => presentQuarantined(services, file))),
        next: writeCursor(files.length === limit && last ? [last.foundAt, last.id] : null),
      };
    },

    async downloadQuarantined({ params: { id } }, { principal, client, reply }) {
      const opened = await openQuarantined(services, id);
      const { owner, size: bytes } = opened.file;
      await recordAction(services, { principal, client }, 'download_infected', owner, { removed: 1, bytes });
      await sendInfected(services, opened, reply);
      return undefined;
    },

    async deleteQuarantined({ body: { ids } }, { principal, client }) {
      const deleted = await deleteQuarantined(services, ids);
      await recordAction(services, { principal, client }, 'delete_infected', 'several', { removed: deleted });
      return { deleted };
    },

    async releaseQuarantined({ params: { id } }, { principal, client }) {
      const upload = await releaseQuarantined(services, id);
      const { owner, size: bytes } = upload;
      await recordAction(services, { principal, client }, 'release_infected', owner, { removed: 1, bytes });
      return { id, url: presentAdminFile(services, upload, client).url };
    },

    async listBlocked({ query: { limit, cursor } }) {
      const [blockedAt, sha256] = readCursor(cursor, ['number', 'string']) ?? [];
      const before =
        blockedAt === undefined ? {} : { before: { blockedAt: Number(blockedAt), sha256: String(sha256) } };
      const hashes = await ledger.listBlockedHashes({ limit, ...before });
      const last = hashes.at(-1);
      return {
        files: hashes.map(presentBlocked),
        next: writeCursor(hashes.length === limit && last ? [last.blockedAt, last.sha256] : null),
      };
    },

    async blockFile({ body: { target, reason, removeCopies } }, { principal, client }) {
      const by = principal?.jid ?? 'the admin token';
      const { hash, removed, bytes } = await blockFile(services, { target, reason, by, removeCopies });
      await recordAction(services, { principal, client }, 'block_file', hash.sha256, {
        removed,
        bytes,
      });
      return { ...presentBlocked(hash), removed, bytes };
    },

    async unblockFile({ body: { sha256 } }, { principal, client }) {
      const by = principal?.jid ?? 'the admin token';
      if (!(await unblockFile(services, { sha256, by }))) {
        throw new Refusal('not_found', { text: 'No file with this SHA-256 is blocked.' });
      }
      await recordAction(services, { principal, client }, 'unblock_file', sha256);
      return undefined;
    },
  };
}

async function presentQuarantined({ ledger }: WebServices, file: QuarantinedFile) {
  const { id, owner, name, type, size, sha256, signature, endpoint, foundAt, purgeAt, blob } = file;
  const isBlocked = sha256 !== null && (await ledger.findBlockedHash(sha256)) !== undefined;
  return {
    ...{ id, owner, name, type, size, sha256, signature, endpoint, isBlocked },
    foundAt: isoTime(foundAt),
    purgeAt: isoTime(purgeAt),
    hasContent: blob !== null,
  };
}

function presentBlocked({ sha256, size, reason, blockedBy, blockedAt }: BlockedHash) {
  return { sha256, size, reason, blockedBy, blockedAt: isoTime(blockedAt) };
}

/** Sends the bytes with a file name that no desktop opens by itself, and with headers that make the browser only save them. */
async function sendInfected(
  { log }: WebServices,
  { file: { id, size, owner }, bytes }: OpenQuarantined,
  reply: FastifyReply,
): Promise<void> {
  reply.hijack();
  reply.raw.writeHead(200, {
    ...API_HEADERS,
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(size),
    'Content-Disposition': `attachment; filename="infected-${id}.bin"`,
  });
  await pipeline(Readable.from(bytes), reply.raw).catch((error: unknown) =>
    log.info({ err: error, owner }, 'an infected file was not sent completely'),
  );
}
