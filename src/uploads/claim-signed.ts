import { Refusal } from '../base/errors.ts';
import { timeOrderedId } from '../base/ids.ts';
import { ANONYMOUS_OWNER, isSharedOwner, ownerFromSha1 } from '../base/owners.ts';
import type { Endpoint, Upload } from '../base/upload-records.ts';
import { type ClaimResult, unlimited } from '../ledger/contract/ledger.ts';
import { type AccessRule, allowAllRule } from '../policy/access.ts';
import { type UploadLimits, uploadLimitsFor } from '../policy/limits.ts';
import { choosePurpose } from '../policy/retention.ts';
import { authorizeUploader } from './grant-slot.ts';
import { blobKey } from './links.ts';
import { reserveUpload } from './reserve.ts';
import type { UploadServices } from './services.ts';
import { checkDeclaredBody } from './store-body.ts';
import type { SignedUpload, UploadRequest } from './upload-request.ts';

interface Admitted {
  readonly owner: string;
  readonly rule: AccessRule;
}

/** Reserves and claims a signed upload in one, or says who has its link. */
export async function claimSigned(
  deps: UploadServices,
  { signed, ...arrival }: UploadRequest & { readonly signed: SignedUpload },
  token: string,
): Promise<ClaimResult> {
  checkDeclaredBody(deps, signed, arrival);
  const { instance } = deps;
  const now = deps.clock();
  const upload = await describe(deps, signed, arrival.endpoint, now);
  const { rule, limits, ...row } = upload;
  const taken = await reserveUpload(deps, {
    upload: row,
    rule,
    limits,
    putKey: null,
    claim: { instance, token },
    now,
  });
  if (!taken)
    return { outcome: 'claimed', upload: { ...row, state: 'receiving', createdAt: now, storedAt: null } };
  if (taken.upload === undefined) throw new Refusal('removed');
  if (taken.upload.state === 'stored') return { outcome: 'stored', upload: taken.upload };
  // Held by another PUT, or by one whose process is no more.
  const claimed = await deps.ledger.claim({ by: { locator: signed.locator }, token, instance, now });
  return claimed.outcome === 'unknown' ? { outcome: 'receiving', upload: taken.upload } : claimed;
}

type Described = Omit<Upload, 'state' | 'createdAt' | 'storedAt'> & {
  readonly rule: AccessRule;
  readonly limits: UploadLimits;
};

async function describe(
  deps: UploadServices,
  signed: SignedUpload,
  endpoint: Endpoint,
  now: number,
): Promise<Described> {
  const { locator, name, size, type, deadline, expiresAt } = signed;
  // The server promised the file a life that is over already.
  if (expiresAt !== null && expiresAt <= now) throw new Refusal('slot_unknown');
  const { owner, rule } = await ownerOf(deps, signed);
  const { retention, globalQuota } = deps.rules();
  const purpose = choosePurpose(retention, name, undefined);
  const limits = uploadLimitsFor(rule, retention, purpose, globalQuota);
  const id = timeOrderedId(now);
  const blob = blobKey(id, name, type);
  return {
    ...{ id, locator, owner, endpoint, purpose, name, type, size, blob, deadline, expiresAt, rule },
    limits: isSharedOwner(owner) ? { ...limits, quotas: { ...unlimited, globalBytes: globalQuota } } : limits,
  };
}

async function ownerOf(deps: UploadServices, signed: SignedUpload): Promise<Admitted> {
  const { uploader, maxFileSize } = signed;
  if (uploader === 'anonymous') return { owner: ANONYMOUS_OWNER, rule: anonymousRule(maxFileSize, null) };
  const jid = 'jid' in uploader ? uploader.jid : await jidOf(deps, uploader.sha1);
  if (jid !== undefined) {
    const { owner, rule } = authorizeUploader(deps, jid);
    return { owner, rule: { ...rule, max_file_size: smaller(rule.max_file_size, maxFileSize) } };
  }
  const owner = 'sha1' in uploader ? ownerFromSha1(uploader.sha1) : ANONYMOUS_OWNER;
  return { owner, rule: anonymousRule(maxFileSize, signed.maxTotalSize) };
}

/** The JID behind a hash, where the config names it or the ledger has met it. */
async function jidOf({ ledger, rules }: UploadServices, sha1: string): Promise<string | undefined> {
  return rules().jidsBySha1?.get(sha1) ?? (await ledger.findOwnerBySha1(sha1));
}

function anonymousRule(maxFileSize: number | null, maxTotalSize: number | null): AccessRule {
  return { ...allowAllRule, max_file_size: maxFileSize, max_total_size: maxTotalSize };
}

function smaller(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
