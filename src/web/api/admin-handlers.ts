import { Refusal } from '../../base/errors.ts';
import { parseBareJid } from '../../base/jid.ts';
import { ownerNamesFor } from '../../base/owners.ts';
import type { Upload } from '../../base/upload-records.ts';
import { explain, findByLinkOrId } from '../../uploads/explain/explain.ts';
import { explainOwner } from '../../uploads/explain/explain-owner.ts';
import { describeUnknownTarget, formatExplanation } from '../../uploads/explain/format-explanation.ts';
import { announcedMaxSizeFor } from '../../uploads/grant-slot.ts';
import { resolveOwner } from '../../uploads/list.ts';
import { eraseOwner } from '../../uploads/remove.ts';
import { deleteAllFilesOf, deleteFiles, restoreFiles } from '../../uploads/user-files/user-files.ts';
import type { Principal } from '../sign-in/principal.ts';
import { roleOf } from '../sign-in/sessions.ts';
import type { WebServices } from '../web-services.ts';
import type { ActivityRoute } from './activity-handlers.ts';
import { recordAction } from './audit.ts';
import { assertConfirmed, listTrash, presentDeleted, presentLimit, presentQuota } from './file-handlers.ts';
import type { Handlers } from './handlers.ts';
import { isoTime, presentAdminFile, presentRefusal, readCursor, writeCursor } from './present.ts';
import type { adminRoutes } from './routes/admin-routes.ts';
import type { overviewRoutes } from './routes/overview-routes.ts';
import { sendThumbnail } from './send-thumbnail.ts';

const ADMIN_KEYS = { newest: ['string'], oldest: ['string'], largest: ['number', 'string'] } as const;
const USER_KEYS = { name: ['string'], largest: ['number', 'number'] } as const;

const nameOf = (principal: Principal | undefined) => principal?.jid ?? 'the admin token';

/** Handlers for admins and moderators: files and users of the whole service. */
export function createAdminHandlers(
  services: WebServices,
): Handlers<keyof typeof adminRoutes | Exclude<keyof typeof overviewRoutes, ActivityRoute>> {
  const { ledger, clock, rules, overview } = services;
  let isDoctorRunning = false;

  return {
    async listAllFiles({ query }, { client }) {
      const { limit, cursor, sort, owner, search, type, state, minSize, maxSize, after, before } = query;
      const from = readCursor(cursor, ADMIN_KEYS[sort]);
      const { files, next } = await ledger.listFiles({
        sort,
        limit,
        ...(state === 'unscanned' ? { state: 'stored', isUnscanned: true } : { state }),
        ...(from && { after: from }),
        ...(owner && { owners: ownerNamesFor(await toOwner(services, owner)) }),
        ...(search && { text: search }),
        ...(type && { type }),
        ...(minSize !== undefined && { minSize }),
        ...(maxSize !== undefined && { maxSize }),
        ...(after !== undefined && { createdFrom: Date.parse(after) }),
        ...(before !== undefined && { createdBefore: Date.parse(before) }),
      });
      return {
        files: files.map((file) => presentAdminFile(services, file, client)),
        next: writeCursor(next),
      };
    },

    async findFile({ query: { link } }, { client }) {
      const upload = await findByLinkOrId(services, link.trim());
      if (upload) return presentAdminFile(services, upload, client);
      throw new Refusal('not_found', {
        text: 'No file has this link or id. GET /admin/why may explain what happened to it.',
      });
    },

    async getAnyThumbnail({ params: { id } }, call) {
      return sendThumbnail(services, () => findStoredFile(services, id), call);
    },

    async deleteAnyFiles({ body: { ids, reason } }, { principal, client }) {
      const by = `${nameOf(principal)}${reason ? `: ${reason}` : ''}`;
      const { files } = await ledger.listFiles({ ids, sort: 'newest', state: 'stored', limit: ids.length });
      const deleted = await deleteFiles(services, { ids, by });
      const owners = new Set(files.map(({ owner }) => owner));
      const [subject = ''] = owners;
      await recordAction(
        services,
        { principal, client },
        'delete_files',
        owners.size > 1 ? 'several' : subject,
        deleted,
      );
      return presentDeleted(deleted);
    },

    async listAllTrash({ query: { limit, cursor } }) {
      return listTrash(services, { limit, cursor });
    },

    async restoreAnyFiles({ body: { ids } }, { principal, client }) {
      const restored = await restoreFiles(services, { ids });
      await recordAction(services, { principal, client }, 'restore_files', 'several', restored);
      return restored;
    },

    async listUsers({ query: { limit, cursor, sort, search } }) {
      const after = readCursor(cursor, USER_KEYS[sort]);
      const { users, next } = await ledger.listUsers({
        sort,
        limit,
        ...(after && { after }),
        ...(search && { prefix: search }),
      });
      return {
        users: users.map(({ owner, uploads, bytes, pendingBytes, lastUploadAt }) => ({
          owner,
          files: uploads,
          bytes,
          pendingBytes,
          quotaBytes: matchRule(services, owner).quotaBytes,
          lastUploadAt: isoTime(lastUploadAt),
        })),
        next: writeCursor(next),
      };
    },

    async getUser({ query: { owner: given } }) {
      const owner = await toOwner(services, given);
      const explanation = await explainOwner(services, owner);
      return {
        owner,
        quota: presentQuota(services, explanation),
        limits: explanation.limits.map(presentLimit),
        rule: matchRule(services, owner),
        refusals: explanation.refusals.map(presentRefusal),
      };
    },

    async deleteFilesOfUser({ body: { owner, confirm } }, { principal, client }) {
      assertConfirmed(confirm, owner);
      const deleted = await deleteAllFilesOf(services, owner, nameOf(principal));
      await recordAction(services, { principal, client }, 'delete_all_files', owner, deleted);
      return presentDeleted(deleted);
    },

    async forgetUser({ body: { owner, confirm } }, { principal, client }) {
      assertConfirmed(confirm, owner);
      const removed = await eraseOwner(services, owner);
      // The entry does not name the user, whose data was erased.
      await recordAction(services, { principal, client }, 'forget_user', '', { removed });
      return { removed };
    },

    async explainTarget({ query: { target } }) {
      const explanation = await explain(services, target.trim());
      if (explanation.about === 'unknown') {
        return { found: false, lines: [describeUnknownTarget(explanation.looksLike, explanation.target)] };
      }
      return { found: true, lines: formatExplanation(explanation, clock(), overview.configLines()) };
    },

    async runDoctor() {
      if (isDoctorRunning) throw new Refusal('busy', { text: 'The doctor is already running.' });
      isDoctorRunning = true;
      try {
        const { ok, findings } = await overview.runDoctor();
        return { ok, findings: findings.map(({ check, state, text }) => ({ check, state, text })) };
      } finally {
        isDoctorRunning = false;
      }
    },

    async getConfig() {
      const { file, warnings, options } = overview.config();
      return { file, warnings: [...warnings], options };
    },

    async matchRule({ query: { jid } }) {
      const owner = parseBareJid(jid.trim());
      if (owner === undefined) throw new Refusal('bad_request', { text: 'This is not a valid address.' });
      return matchRule(services, owner);
    },

    async listAudit({ query: { limit, cursor } }) {
      const [before] = readCursor(cursor, ['string']) ?? [];
      const entries = await ledger.listAudit({
        limit,
        ...(before !== undefined && { before: String(before) }),
      });
      const last = entries.at(-1);
      return {
        entries: entries.map(({ id: _id, at, ...entry }) => ({ at: isoTime(at), ...entry })),
        next: writeCursor(entries.length === limit && last ? [last.id] : null),
      };
    },
  };

  function matchRule({ overview }: WebServices, owner: string) {
    const decision = rules().access.decide(owner);
    const rule = decision.index === null ? null : `access[${decision.index}]`;
    return {
      isAllowed: decision.allowed,
      rule,
      patterns: decision.index === null ? [] : [...rules().access.patternsOf(decision.index)],
      line: (rule === null ? undefined : overview.configLines()[rule]) ?? null,
      maxFileSize: decision.allowed ? announcedMaxSizeFor(services, owner) : null,
      quotaBytes: decision.allowed ? decision.rule.max_total_size : null,
      role: roleOf(services, owner),
    };
  }
}

/** Returns the stored file with this id. Throws `Refusal` (`not_found`) if there is none. */
async function findStoredFile({ ledger }: Pick<WebServices, 'ledger'>, id: string): Promise<Upload> {
  const { files } = await ledger.listFiles({ ids: [id], sort: 'newest', state: 'stored', limit: 1 });
  const [file] = files;
  if (file === undefined) throw new Refusal('not_found', { text: 'No stored file has this id.' });
  return file;
}

/** Returns the owner of a JID, also in another spelling. Returns owners that are not JIDs, such as `external`, unchanged. */
async function toOwner(services: WebServices, text: string): Promise<string> {
  const trimmed = text.trim();
  const jid = parseBareJid(trimmed);
  return jid === undefined ? trimmed : resolveOwner(services, jid);
}
