import { Refusal } from '../base/errors.ts';
import { datedId, putKeyOf } from '../base/ids.ts';
import { bareJid } from '../base/jid.ts';
import type { Door } from '../base/records.ts';
import type { AccessRule } from '../policy/access.ts';
import { announcedMaxFileSize, limitsFor } from '../policy/limits.ts';
import { readMediaType, UNKNOWN_TYPE } from '../policy/media-type.ts';
import { judgeName, MAX_NAME_BYTES } from '../policy/names.ts';
import { isOffered, purposeOf } from '../policy/retention.ts';
import { charge } from './charge.ts';
import type { UploadDeps } from './deps.ts';
import { blobKey } from './links.ts';

/** What somebody wants to upload, read by a door out of a stanza or a query. */
export interface SlotRequest {
  readonly door: Door;
  /** Full or bare JID of the person who asks. */
  readonly jid: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Null or empty where none was said. */
  readonly type: string | null;
  /** XEP-0363 purpose, where one was asked for. */
  readonly purpose?: string | undefined;
  /** `expire-before` of the request, ms since 1970. */
  readonly expiresAt?: number | undefined;
}

/** The right to PUT once. The token is known to nobody else, the ledger included. */
export interface GrantedSlot {
  readonly id: string;
  readonly token: string;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly owner: string;
  readonly blob: string;
  /** The PUT must start before it, ms since 1970. */
  readonly deadline: number;
}

/** Grants a slot and charges its owner's quotas, or refuses with the reason (`Refusal`). */
export async function grant(deps: UploadDeps, request: SlotRequest): Promise<GrantedSlot> {
  const start = performance.now();
  const { retention, slotTimeout, globalQuota } = deps.rules();
  const { owner, rule } = admit(deps, request.jid);
  const file = readFile(request);
  const purpose = readPurpose(deps, request);
  const limits = limitsFor(rule, retention, purpose, globalQuota);

  const now = deps.clock();
  const id = datedId(now);
  const token = datedId(now);
  const expiresAt = request.expiresAt ?? null;
  if (expiresAt !== null && expiresAt <= now) {
    throw new Refusal('bad_request', { text: 'expire-before lies in the past.' });
  }
  const blob = blobKey(id, file.name, file.type);
  const slot = { id, owner, ...file, blob, deadline: now + slotTimeout };
  const upload = {
    ...slot,
    locator: id,
    door: request.door,
    purpose,
    expiresAt,
  };
  const taken = await charge(deps, { upload, rule, limits, putKey: putKeyOf(token), now });
  if (taken) throw new Error(`the random id ${id} is in use`);
  deps.meter.granted(request.door, performance.now() - start);
  return { ...slot, token };
}

/** The largest file, in bytes, that this JID may upload, by its rule's `max_file_size`; null = any size. */
export function maxFileSizeFor(deps: UploadDeps, jid: string): number | null {
  const { rule } = admit(deps, jid);
  const { retention } = deps.rules();
  return limitsFor(rule, retention, purposeOf(retention, '', undefined), null).maxFileSize;
}

/**
 * The same, but never more than its quotas could ever hold: what clients are told before they ask for a slot.
 * Null for those who may not upload too: they hear of it when they try.
 */
export function announcedSizeFor(deps: UploadDeps, jid: string): number | null {
  const { access, retention, globalQuota } = deps.rules();
  const decision = access.decide(bareJid(jid) ?? '');
  if (!decision.allowed) return null;
  return announcedMaxFileSize(
    limitsFor(decision.rule, retention, purposeOf(retention, '', undefined), globalQuota),
  );
}

/** The owner's name in the ledger and the rule that lets it upload. */
export function admit(deps: UploadDeps, jid: string): { owner: string; rule: AccessRule } {
  const owner = bareJid(jid);
  if (owner === undefined) throw new Refusal('bad_request', { text: 'That is not a JID.' });
  const decision = deps.rules().access.decide(owner);
  if (decision.allowed) return { owner, rule: decision.rule };
  const rule = decision.index === null ? 'no access rule matches' : `access rule ${decision.index + 1}`;
  deps.log.info({ owner, rule }, 'upload denied');
  throw new Refusal('denied', { text: `${owner} may not upload files here.` });
}

function readFile(request: SlotRequest): { name: string; size: number; type: string } {
  const { name, size } = request;
  const verdict = judgeName(name);
  if (verdict === 'too_long') throw new Refusal('name_too_long');
  if (verdict === 'empty') throw new Refusal('bad_request', { text: 'The file needs a name.' });
  if (verdict === 'malformed') {
    throw new Refusal('bad_request', {
      text: `A file name has no "/", no control characters and at most ${MAX_NAME_BYTES} bytes.`,
    });
  }
  if (!Number.isSafeInteger(size) || size <= 0) {
    throw new Refusal('bad_request', { text: 'The size must be a whole number of bytes above 0.' });
  }
  const type = request.type?.trim() ? readMediaType(request.type) : UNKNOWN_TYPE;
  if (type === undefined) {
    throw new Refusal('bad_request', { text: 'The content type is not of the form type/subtype.' });
  }
  return { name, size, type };
}

function readPurpose(deps: UploadDeps, request: SlotRequest): string {
  const { retention } = deps.rules();
  const purpose = purposeOf(retention, request.name, request.purpose);
  if (purpose === '' || isOffered(retention, purpose)) return purpose;
  throw new Refusal('purpose_not_offered', {
    text: `Uploads for the purpose "${purpose}" are not offered here.`,
  });
}
