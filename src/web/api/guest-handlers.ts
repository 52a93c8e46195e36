import { Refusal } from '../../base/errors.ts';
import { randomId, sha256Hex, timeOrderedId } from '../../base/ids.ts';
import type { GuestLinkRecord } from '../../ledger/contract/ledger.ts';
import { accountOf } from '../sign-in/principal.ts';
import type { WebServices } from '../web-services.ts';
import { recordAction } from './audit.ts';
import { grantPageSlot } from './grant-page-slot.ts';
import type { Handlers } from './handlers.ts';
import { isoTime } from './present.ts';
import type { guestRoutes } from './routes/session-routes.ts';

/** Guest links that one account may have. */
const MAX_LINKS = 100;
const MAX_LIFETIME_MS = 366 * 86_400_000;

/** Handlers for guest links, with which a person without an account sends files to a user. */
export function createGuestHandlers(services: WebServices): Handlers<keyof typeof guestRoutes> {
  const { ledger, clock, settings } = services;

  function assertEnabled(): void {
    if (!settings().guestLinks)
      throw new Refusal('not_permitted', { text: 'Guest links are turned off here.' });
  }

  /** Returns a valid guest link. Throws `Refusal` (`not_found`) if it is unknown or expired, or its user may no longer sign in. */
  async function findLink(token: string): Promise<GuestLinkRecord> {
    const link = settings().guestLinks
      ? await ledger.findGuestLink({ secretHash: sha256Hex(token), now: clock() })
      : undefined;
    if (link !== undefined && settings().maySignIn(link.jid)) return link;
    throw new Refusal('not_found', { text: 'This link is unknown or has expired. Ask for a new one.' });
  }

  return {
    async listGuestLinks(_input, { principal }) {
      const links = await ledger.listGuestLinks({ jid: accountOf(principal), now: clock() });
      return {
        links: links.map(({ secretHash: _hash, jid: _jid, createdAt, expiresAt, ...link }) => ({
          ...link,
          createdAt: isoTime(createdAt),
          expiresAt: isoTime(expiresAt),
        })),
      };
    },

    async createGuestLink({ body: { note, expiresAt, maxBytes, maxFiles } }, { principal, client }) {
      assertEnabled();
      const jid = accountOf(principal);
      const now = clock();
      const expiry = Date.parse(expiresAt);
      if (expiry <= now || expiry > now + MAX_LIFETIME_MS) {
        throw new Refusal('bad_request', {
          text: 'A guest link must expire within a year, and not in the past.',
        });
      }
      const secret = randomId() + randomId();
      const link = {
        id: timeOrderedId(now),
        secretHash: sha256Hex(secret),
        jid,
        note,
        maxBytes: maxBytes ?? null,
        maxFiles: maxFiles ?? null,
        usedBytes: 0,
        usedFiles: 0,
        createdAt: now,
        expiresAt: expiry,
      };
      if (!(await ledger.createGuestLink({ link, limit: MAX_LINKS }))) {
        throw new Refusal('bad_request', {
          text: `You have ${MAX_LINKS} guest links. Revoke one of them first.`,
        });
      }
      await recordAction(services, { principal, client }, 'create_guest_link', jid);
      return { id: link.id, token: secret };
    },

    async revokeGuestLink({ params: { id } }, { principal, client }) {
      const jid = accountOf(principal);
      if (!(await ledger.revokeGuestLink({ jid, id }))) throw new Refusal('not_found');
      await recordAction(services, { principal, client }, 'revoke_guest_link', jid);
      return undefined;
    },

    async getGuestLink({ params: { token } }) {
      const { jid, note, expiresAt, maxBytes, maxFiles, usedBytes, usedFiles } = await findLink(token);
      return {
        recipient: jid,
        note,
        expiresAt: isoTime(expiresAt),
        bytesLeft: maxBytes === null ? null : Math.max(0, maxBytes - usedBytes),
        filesLeft: maxFiles === null ? null : Math.max(0, maxFiles - usedFiles),
      };
    },

    async createGuestSlot({ params: { token }, body }, { client }) {
      const { jid, secretHash } = await findLink(token);
      const charge = (bytes: number) => ledger.chargeGuestLink({ secretHash, bytes, now: clock() });
      if (!(await charge(body.size))) {
        throw new Refusal('quota_exceeded', { text: 'This link accepts no more files of this size.' });
      }
      try {
        const { name, putUrl, contentType, deadline } = await grantPageSlot(services, jid, body, client);
        return { name, putUrl, contentType, deadline };
      } catch (error) {
        await charge(-body.size);
        throw error;
      }
    },
  };
}
