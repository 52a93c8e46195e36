import { toPutKey } from '../../base/ids.ts';
import { parseBareJid } from '../../base/jid.ts';
import type { Removal, Upload } from '../../base/upload-records.ts';
import type { QuarantinedFile, RefusalRecord } from '../../ledger/contract/ledger.ts';
import { expiryTime } from '../../policy/retention.ts';
import { GET_PREFIX, idInBlobPath, idInPath, PUT_PREFIX } from '../links.ts';
import { resolveOwner } from '../list.ts';
import { locatorForOldLink } from '../old-links.ts';
import type { UploadServices } from '../services.ts';
import { explainOwner, type OwnerExplanation, readRefusals } from './explain-owner.ts';

/** The access decision for a JID, or the state of a file. */
export type Explanation =
  | OwnerExplanation
  | {
      readonly about: 'upload';
      readonly upload: Upload;
      /** When the file expires, ms since 1970; null = never. */
      readonly endsAt: number | null;
      /** Refused PUTs of the last day. */
      readonly refusals: readonly RefusalRecord[];
    }
  | { readonly about: 'quarantine'; readonly file: QuarantinedFile }
  | { readonly about: 'removal'; readonly removal: Removal; readonly refusals: readonly RefusalRecord[] }
  | { readonly about: 'unknown'; readonly target: string; readonly looksLike: TargetKind };

/** The kind of target that the text could mean. `domain`: a JID without an account. `other`: neither link, nor id, nor JID. */
export type TargetKind = 'link' | 'id' | 'domain' | 'other';

type ExplainServices = Pick<UploadServices, 'ledger' | 'rules' | 'clock' | 'spaceReserve'>;
type FindServices = Pick<UploadServices, 'ledger' | 'rules'>;

/** Explains a download or upload link, an upload's id, or a JID. */
export async function explain(services: ExplainServices, target: string): Promise<Explanation> {
  const path = toPath(target);
  const upload = await findUpload(services, path);
  if (upload) {
    const endsAt = expiryTime(services.rules().retention, upload);
    return { about: 'upload', upload, endsAt, refusals: await refusalsOf(services, upload) };
  }
  const infected = await findQuarantined(services, path);
  if (infected) return { about: 'quarantine', file: infected };
  const removal = await findRemovalByLinkOrId(services, target);
  if (removal) return { about: 'removal', removal, refusals: await refusalsOf(services, removal) };
  if (LINK.test(target)) return { about: 'unknown', target, looksLike: 'link' };
  if (findId(path) !== undefined) return { about: 'unknown', target, looksLike: 'id' };
  const jid = parseBareJid(target);
  if (jid === undefined) return { about: 'unknown', target, looksLike: 'other' };
  const owner = await resolveOwner(services, jid);
  const explanation = await explainOwner(services, owner);
  // Nearly every word is a valid domain. So a word without "@" counts as a JID only if the ledger knows it.
  if (jid.includes('@') || isKnown(explanation)) return explanation;
  return { about: 'unknown', target, looksLike: jid.includes('.') ? 'domain' : 'other' };
}

const LINK = /^(?:https?|aesgcm):|^\//;

function isKnown({ usage, refusals, unusedSlots }: OwnerExplanation): boolean {
  return usage.uploads + usage.pendingUploads + refusals.length + unusedSlots.length > 0;
}

async function refusalsOf(
  services: ExplainServices,
  { id, owner }: Pick<Upload, 'id' | 'owner'>,
): Promise<RefusalRecord[]> {
  if (owner === '') return [];
  return (await readRefusals(services, owner)).filter(({ uploadId }) => uploadId === id);
}

/** Returns the upload with this link or id, whatever its state. */
export async function findByLinkOrId(services: FindServices, target: string): Promise<Upload | undefined> {
  return findUpload(services, toPath(target));
}

/** Returns the record of the removed upload with this link or id. */
export async function findRemovalByLinkOrId(
  services: FindServices,
  target: string,
): Promise<Removal | undefined> {
  const path = toPath(target);
  return services.ledger.findRemoval(findId(path) ?? (await locatorFromPath(services, path)) ?? target);
}

async function findUpload(services: FindServices, path: string): Promise<Upload | undefined> {
  const { ledger } = services;
  const token = idAfterPrefix(path, PUT_PREFIX);
  if (token !== undefined) return ledger.findByPutKey(toPutKey(token));
  const id = findId(path);
  if (id !== undefined) return (await ledger.find(id)) ?? findById(services, id);
  const locator = await locatorFromPath(services, path);
  return locator === undefined ? undefined : ledger.find(locator);
}

/** Finds the record of an infected file by the link of its upload or download, or by its id. */
async function findQuarantined(services: FindServices, path: string): Promise<QuarantinedFile | undefined> {
  const token = idAfterPrefix(path, PUT_PREFIX);
  if (token !== undefined) return services.ledger.findQuarantined({ putKey: toPutKey(token) });
  const id = findId(path);
  if (id !== undefined) return (await services.ledger.listQuarantine({ id, limit: 1 }))[0];
  const locator = await locatorFromPath(services, path);
  return locator === undefined ? undefined : services.ledger.findQuarantined({ locator });
}

/** Finds uploads whose locator is not their id: those of signed links and imported ones. */
async function findById({ ledger }: FindServices, id: string): Promise<Upload | undefined> {
  const [next] = await ledger.listUploads({ after: id.slice(0, -1), limit: 1 });
  return next?.id === id ? next : undefined;
}

/** Returns the locator for a link of an XMPP server or of an imported service. */
async function locatorFromPath({ ledger, rules }: FindServices, path: string): Promise<string | undefined> {
  if (!path.startsWith('/')) return undefined;
  return locatorForOldLink([...(await ledger.listOldPaths()), ...(rules().signedPaths ?? [])], path);
}

function findId(path: string): string | undefined {
  const inLink = idAfterPrefix(path, GET_PREFIX) ?? idInBlobPath(path);
  return inLink ?? (/^[0-9a-z]{26}$/.test(path) ? path : undefined);
}

/** Returns the id or token after a prefix. The path of `public_url` may come before the prefix. */
function idAfterPrefix(path: string, prefix: string): string | undefined {
  const at = path.lastIndexOf(prefix);
  return at < 0 ? undefined : idInPath(path.slice(at), prefix);
}

function toPath(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined;
  return url && /^(?:https?|aesgcm):$/.test(url.protocol) ? url.pathname : target;
}
