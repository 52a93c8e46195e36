import { attemptBlobKey } from '../base/blob-keys.ts';
import { Refusal } from '../base/errors.ts';
import { timeOrderedId } from '../base/ids.ts';
import { ANONYMOUS_OWNER, isSharedOwner, ownerFromSha1 } from '../base/owners.ts';
import type { Endpoint, Upload } from '../base/upload-records.ts';
import { type ClaimResult, unlimited } from '../ledger/contract/ledger.ts';
import { type AccessRule, allowAllRule, type UploadLimits, uploadLimitsFor } from '../policy/access.ts';
import { choosePurpose } from '../policy/retention.ts';
import { authorizeUploader } from './grant-slot.ts';
import { blobKey } from './links.ts';
import { type ReserveServices, reserveUpload } from './reserve.ts';
import type { UploadServices } from './services.ts';
import { checkDeclaredBody, type SignedUpload, type UploadRequest } from './upload-request.ts';

/**
 * Reserves and claims an upload that an XMPP server has granted, in one transaction. Returns the existing upload if its
 * link is already in use. Throws a `Refusal` if the rules, the quotas or an earlier removal forbid the upload.
 */
export async function claimSigned(
  services: SigningServices,
  { signed, ...request }: UploadRequest & { readonly signed: SignedUpload },
  token: string,
): Promise<ClaimResult> {
  const { ledger, instance, clock } = services;
  const now = clock();
  const { rule, limits, ...slot } = await prepareSigned(services, { ...request, signed }, now);
  const row = { ...slot, blob: attemptBlobKey(slot.blob, token) };
  const existing = await reserveUpload(services, {
    upload: row,
    rule,
    limits,
    putKey: null,
    claim: { instance, token },
    reusesLocator: signed.reusesLocator,
    now,
  });
  if (!existing)
    return { outcome: 'claimed', upload: { ...row, state: 'receiving', createdAt: now, storedAt: null } };
  if (existing.upload === undefined) throw new Refusal('removed');
  if (existing.upload.state === 'stored') return { outcome: 'stored', upload: existing.upload };
  // Another PUT holds the claim. If its process has died, this claim succeeds.
  const claimed = await ledger.claim({ by: { locator: signed.locator }, token, instance, now });
  return claimed.outcome === 'unknown' ? { outcome: 'receiving', upload: existing.upload } : claimed;
}

/** Returns the upload that a signed request asks for. Its blob key is the slot key. Throws a `Refusal` if a rule forbids it. */
export async function prepareSigned(
  services: SigningServices,
  { signed, ...request }: UploadRequest & { readonly signed: SignedUpload },
  now: number,
): Promise<UploadWithRule> {
  checkDeclaredBody(services.rules(), signed, request);
  return await buildUpload(services, signed, request.endpoint, now);
}

type SigningServices = ReserveServices & Pick<UploadServices, 'clock' | 'log' | 'instance'>;

type UploadWithRule = Omit<Upload, 'state' | 'createdAt' | 'storedAt'> & {
  readonly rule: AccessRule;
  readonly limits: UploadLimits;
};

async function buildUpload(
  services: SigningServices,
  signed: SignedUpload,
  endpoint: Endpoint,
  now: number,
): Promise<UploadWithRule> {
  const { locator, name, size, type, deadline, expiresAt } = signed;
  // The signed expiry has passed already.
  if (expiresAt !== null && expiresAt <= now) throw new Refusal('slot_unknown');
  const { owner, rule } = await resolveOwner(services, signed);
  const { retention, globalQuota } = services.rules();
  const purpose = choosePurpose(retention, name, undefined);
  const limits = uploadLimitsFor(rule, retention, purpose, globalQuota);
  const id = timeOrderedId(now);
  const blob = blobKey(id, name, type);
  return {
    ...{ id, locator, owner, endpoint, purpose, name, type, size, blob, deadline, expiresAt, rule },
    limits: isSharedOwner(owner) ? { ...limits, quotas: { ...unlimited, globalBytes: globalQuota } } : limits,
  };
}

async function resolveOwner(
  services: SigningServices,
  signed: SignedUpload,
): Promise<{ owner: string; rule: AccessRule }> {
  const { uploader, maxFileSize } = signed;
  if (uploader === 'anonymous')
    return {
      owner: ANONYMOUS_OWNER,
      rule: anonymousRule({ maxFileSize, maxTotalSize: null, maxFiles: null }),
    };
  const jid = 'jid' in uploader ? uploader.jid : await findJid(services, uploader.sha1);
  if (jid !== undefined) {
    const { owner, rule } = authorizeUploader(services, jid);
    return { owner, rule: { ...rule, max_file_size: smaller(rule.max_file_size, maxFileSize) } };
  }
  const owner = 'sha1' in uploader ? ownerFromSha1(uploader.sha1) : ANONYMOUS_OWNER;
  return { owner, rule: anonymousRule(signed) };
}

/** Returns the JID with this SHA-1 if the config or the ledger has it. */
async function findJid({ ledger, rules }: SigningServices, sha1: string): Promise<string | undefined> {
  return rules().jidsBySha1?.get(sha1) ?? (await ledger.findOwnerBySha1(sha1));
}

function anonymousRule(limits: Pick<SignedUpload, 'maxFileSize' | 'maxTotalSize' | 'maxFiles'>): AccessRule {
  const { maxFileSize, maxTotalSize, maxFiles } = limits;
  return { ...allowAllRule, max_file_size: maxFileSize, max_total_size: maxTotalSize, max_files: maxFiles };
}

function smaller(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
