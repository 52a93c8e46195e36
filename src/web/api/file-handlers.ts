import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import { errorRow, Refusal } from '../../base/errors.ts';
import { ownerNamesFor } from '../../base/owners.ts';
import { explainOwner, type OwnerExplanation, type OwnerLimit } from '../../uploads/explain/explain-owner.ts';
import { announcedMaxSizeFor } from '../../uploads/grant-slot.ts';
import { describeExhaustedLimit } from '../../uploads/reserve.ts';
import { openArchive } from '../../uploads/user-files/archive.ts';
import {
  changeUserFileExpiry,
  type DeletedFiles,
  deleteAllFilesOf,
  deleteFiles,
  findUserFile,
  listUserFiles,
  restoreFiles,
} from '../../uploads/user-files/user-files.ts';
import { API_HEADERS } from '../serve/page-headers.ts';
import { accountOf } from '../sign-in/principal.ts';
import type { WebServices } from '../web-services.ts';
import { recordAction } from './audit.ts';
import { grantPageSlot } from './grant-page-slot.ts';
import type { Handlers } from './handlers.ts';
import { isoTime, presentFile, presentTrashed, readCursor, writeCursor } from './present.ts';
import type { fileRoutes } from './routes/file-routes.ts';
import { sendThumbnail } from './send-thumbnail.ts';

/** Handlers for the files of the signed-in user. */
export function createFileHandlers(services: WebServices): Handlers<keyof typeof fileRoutes> {
  /** Users whose archive is being sent by this process. */
  const archiving = new Set<string>();

  return {
    async getQuota(_input, { principal }) {
      return presentQuota(services, await explainOwner(services, accountOf(principal)));
    },

    async listFiles({ query: { limit, cursor, sort, search, type } }, { principal, client }) {
      const after = readCursor(cursor, FILE_KEYS[sort]);
      const { files, next } = await listUserFiles(services, accountOf(principal), {
        sort,
        limit,
        ...(after && { after }),
        ...(search && { text: search }),
        ...(type && { type }),
      });
      return { files: files.map((file) => presentFile(services, file, client)), next: writeCursor(next) };
    },

    async getFile({ params: { id } }, { principal, client }) {
      return presentFile(services, await findUserFile(services, accountOf(principal), id), client);
    },

    async getThumbnail({ params: { id } }, call) {
      return sendThumbnail(services, () => findUserFile(services, accountOf(call.principal), id), call);
    },

    async changeFile({ params: { id }, body: { expiresAt } }, { principal, client }) {
      const change = { id, expiresAt: expiresAt === null ? null : Date.parse(expiresAt) };
      return presentFile(
        services,
        await changeUserFileExpiry(services, accountOf(principal), change),
        client,
      );
    },

    async deleteFile({ params: { id } }, { principal }) {
      const owner = accountOf(principal);
      const deleted = await deleteFiles(services, { ids: [id], owner, by: owner });
      if (deleted.removed === 0) throw new Refusal('not_found', { text: 'You have no such file.' });
      return presentDeleted(deleted);
    },

    async deleteFiles({ body: { ids } }, { principal }) {
      const owner = accountOf(principal);
      return presentDeleted(await deleteFiles(services, { ids, owner, by: owner }));
    },

    async deleteAllFiles({ body: { confirm } }, { principal, client }) {
      const owner = accountOf(principal);
      assertConfirmed(confirm, owner);
      const deleted = await deleteAllFilesOf(services, owner, owner);
      await recordAction(services, { principal, client }, 'delete_all_files', owner, deleted);
      return presentDeleted(deleted);
    },

    async downloadAll(_input, { principal, reply }) {
      const owner = accountOf(principal);
      if (archiving.has(owner))
        throw new Refusal('busy', { text: 'Your archive is already being downloaded.' });
      archiving.add(owner);
      try {
        await sendArchive(owner, reply);
      } finally {
        archiving.delete(owner);
      }
      return undefined;
    },

    async createSlot({ body }, { principal, client }) {
      return grantPageSlot(services, accountOf(principal), body, client);
    },

    async listTrash({ query: { limit, cursor } }, { principal }) {
      return listTrash(services, { limit, cursor, owners: ownerNamesFor(accountOf(principal)) });
    },

    async restoreFiles({ body: { ids } }, { principal }) {
      return restoreFiles(services, { ids, owner: accountOf(principal) });
    },
  };

  async function sendArchive(owner: string, reply: FastifyReply): Promise<void> {
    const archive = await openArchive(services, owner);
    const day = new Date(services.clock()).toISOString().slice(0, 10);
    reply.hijack();
    reply.raw.writeHead(200, {
      ...API_HEADERS,
      'Content-Type': 'application/zip',
      'Content-Disposition': `attachment; filename="files-${day}.zip"`,
    });
    // A client that goes away ends the reading of the files too.
    await pipeline(Readable.fromWeb(archive as Parameters<typeof Readable.fromWeb>[0]), reply.raw).catch(
      (error: unknown) => services.log.info({ err: error, owner }, 'an archive was not sent completely'),
    );
  }
}

const FILE_KEYS = {
  newest: ['string'],
  oldest: ['string'],
  largest: ['number', 'string'],
  smallest: ['number', 'string'],
  name: ['string', 'string'],
} as const;

/** Throws `Refusal` (`bad_request`) unless `confirm` is the address of the owner. */
export function assertConfirmed(confirm: string, owner: string): void {
  if (confirm.trim() === owner) return;
  throw new Refusal('bad_request', { text: `To confirm, send the address ${owner} as "confirm".` });
}

export function presentDeleted({ removed, bytes, restorableUntil }: DeletedFiles) {
  return { removed, bytes, restorableUntil: isoTime(removed === 0 ? null : restorableUntil) };
}

/** Returns one page of deleted files: those of `owners`, or of all owners. */
export async function listTrash(
  { ledger, clock }: Pick<WebServices, 'ledger' | 'clock'>,
  { limit, cursor, owners }: { limit: number; cursor: string | undefined; owners?: readonly string[] },
) {
  const [removedAt, id] = readCursor(cursor, ['number', 'string']) ?? [];
  const before = removedAt === undefined ? undefined : { removedAt: Number(removedAt), id: String(id) };
  const files = await ledger.listTrash({ limit, ...(owners && { owners }), ...(before && { before }) });
  const last = files.at(-1);
  return {
    // The next sweep deletes the expired ones.
    files: files.filter(({ purgeAt }) => purgeAt > clock()).map(presentTrashed),
    next: writeCursor(files.length === limit && last ? [last.removedAt, last.id] : null),
  };
}

export function presentLimit({ limit, used, allowed, freesAt, period, purpose }: OwnerLimit) {
  return { limit, used, allowed, freesAt: isoTime(freesAt), periodMs: period, purpose };
}

/** Returns the usage, the limits, and the text with which an upload would be refused now. */
export function presentQuota(services: Pick<WebServices, 'rules' | 'clock'>, explanation: OwnerExplanation) {
  const { owner, decision, usage, limits } = explanation;
  return {
    isAllowed: decision.allowed,
    files: usage.uploads,
    bytes: usage.bytes,
    pendingBytes: usage.pendingBytes,
    maxFileSize: announcedMaxSizeFor(services, owner),
    refusal: describeRefusedNow(explanation, services.clock()),
    // A user does not see how much all users together have stored.
    limits: limits.filter(({ limit }) => limit !== 'globalBytes').map(presentLimit),
    maxAgeMs: services.rules().retention.max_age,
  };
}

function describeRefusedNow({ refusedNow }: OwnerExplanation, now: number): string | null {
  switch (refusedNow?.reason) {
    case undefined:
      return null;
    case 'denied':
      return errorRow('denied').text;
    case 'moving':
      return errorRow('unavailable').text;
    case 'storage_full':
      return refusedNow.text;
    case 'limit':
      return describeExhaustedLimit(refusedNow.limit, now);
  }
}
