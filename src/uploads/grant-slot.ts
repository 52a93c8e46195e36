import { Refusal } from '../base/errors.ts';
import { timeOrderedId, toPutKey } from '../base/ids.ts';
import { parseBareJid } from '../base/jid.ts';
import type { Endpoint } from '../base/upload-records.ts';
import type { AccessRule } from '../policy/access.ts';
import { checkFileName, MAX_NAME_BYTES } from '../policy/file-names.ts';
import { announcedMaxFileSize, uploadLimitsFor } from '../policy/limits.ts';
import { parseMediaType, UNKNOWN_TYPE } from '../policy/media-type.ts';
import { choosePurpose, isPurposeOffered } from '../policy/retention.ts';
import { blobKey } from './links.ts';
import { reserveUpload } from './reserve.ts';
import type { UploadServices } from './services.ts';

/** What somebody wants to upload, read by a door out of a stanza or a query. */
export interface SlotRequest {
  readonly endpoint: Endpoint;
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
export async function grantSlot(deps: UploadServices, request: SlotRequest): Promise<GrantedSlot> {
  const start = performance.now();
  const { retention, slotTimeout, globalQuota } = deps.rules();
  const { owner, rule } = authorizeUploader(deps, request.jid);
  const file = readFile(request);
  const purpose = readPurpose(deps, request);
  const limits = uploadLimitsFor(rule, retention, purpose, globalQuota);

  const now = deps.clock();
  const id = timeOrderedId(now);
  const token = timeOrderedId(now);
  const expiresAt = request.expiresAt ?? null;
  if (expiresAt !== null && expiresAt <= now) {
    throw new Refusal('bad_request', { text: 'expire-before lies in the past.' });
  }
  const blob = blobKey(id, file.name, file.type);
  const slot = { id, owner, ...file, blob, deadline: now + slotTimeout };
  const upload = {
    ...slot,
    locator: id,
    endpoint: request.endpoint,
    purpose,
    expiresAt,
  };
  const taken = await reserveUpload(deps, { upload, rule, limits, putKey: toPutKey(token), now });
  if (taken) throw new Error(`the random id ${id} is in use`);
  deps.metrics.slotGranted(request.endpoint, performance.now() - start);
  return { ...slot, token };
}

/** The largest file, in bytes, that this JID may upload, by its rule's `max_file_size`; null = any size. */
export function maxFileSizeFor(deps: UploadServices, jid: string): number | null {
  const { rule } = authorizeUploader(deps, jid);
  const { retention } = deps.rules();
  return uploadLimitsFor(rule, retention, choosePurpose(retention, '', undefined), null).maxFileSize;
}

/**
 * The same, but never more than its quotas could ever hold: what clients are told before they ask for a slot.
 * Null for those who may not upload too: they hear of it when they try.
 */
export function announcedMaxSizeFor(deps: UploadServices, jid: string): number | null {
  const { access, retention, globalQuota } = deps.rules();
  const decision = access.decide(parseBareJid(jid) ?? '');
  if (!decision.allowed) return null;
  return announcedMaxFileSize(
    uploadLimitsFor(decision.rule, retention, choosePurpose(retention, '', undefined), globalQuota),
  );
}

/** The owner's name in the ledger and the rule that lets it upload. */
export function authorizeUploader(deps: UploadServices, jid: string): { owner: string; rule: AccessRule } {
  const owner = parseBareJid(jid);
  if (owner === undefined) throw new Refusal('bad_request', { text: 'That is not a JID.' });
  const decision = deps.rules().access.decide(owner);
  if (decision.allowed) return { owner, rule: decision.rule };
  const rule = decision.index === null ? 'no access rule matches' : `access rule ${decision.index + 1}`;
  deps.log.info({ owner, rule }, 'upload denied');
  throw new Refusal('denied', { text: `${owner} may not upload files here.` });
}

function readFile(request: SlotRequest): { name: string; size: number; type: string } {
  const { name, size } = request;
  const verdict = checkFileName(name);
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
  const type = request.type?.trim() ? parseMediaType(request.type) : UNKNOWN_TYPE;
  if (type === undefined) {
    throw new Refusal('bad_request', { text: 'The content type is not of the form type/subtype.' });
  }
  return { name, size, type };
}

function readPurpose(deps: UploadServices, request: SlotRequest): string {
  const { retention } = deps.rules();
  const purpose = choosePurpose(retention, request.name, request.purpose);
  if (purpose === '' || isPurposeOffered(retention, purpose)) return purpose;
  throw new Refusal('purpose_not_offered', {
    text: `Uploads for the purpose "${purpose}" are not offered here.`,
  });
}
