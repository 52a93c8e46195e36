import { toPutKey } from '../base/ids.ts';
import { parseBareJid } from '../base/jid.ts';
import type { Removal, Upload } from '../base/upload-records.ts';
import type { Usage } from '../ledger/contract/ledger.ts';
import type { AccessDecision } from '../policy/access.ts';
import { expiryTime } from '../policy/retention.ts';
import { GET_PREFIX, idInBlobPath, idInPath, PUT_PREFIX } from './links.ts';
import { readUsage, resolveOwner } from './list.ts';
import { locatorForOldLink } from './old-links.ts';
import type { UploadServices } from './services.ts';

/** The access decision for a JID, or the state of a file. */
export type Explanation =
  | {
      readonly about: 'owner';
      readonly owner: string;
      readonly decision: AccessDecision;
      readonly usage: Usage;
    }
  | {
      readonly about: 'upload';
      readonly upload: Upload;
      /** When the file expires, ms since 1970; null = never. */
      readonly endsAt: number | null;
    }
  | { readonly about: 'removal'; readonly removal: Removal }
  | { readonly about: 'unknown'; readonly target: string };

type ExplainServices = Pick<UploadServices, 'ledger' | 'rules'>;

/** Explains a download or upload link, an upload's id, or a JID. */
export async function explain(services: ExplainServices, target: string): Promise<Explanation> {
  const path = toPath(target);
  const upload = await findUpload(services, path);
  if (upload) return { about: 'upload', upload, endsAt: expiryTime(services.rules().retention, upload) };
  const removal = await findRemovalByLinkOrId(services, target);
  if (removal) return { about: 'removal', removal };
  const jid = /^https?:|^\//.test(target) ? undefined : parseBareJid(target);
  if (jid === undefined || findId(path) !== undefined) return { about: 'unknown', target };
  const owner = await resolveOwner(services, jid);
  const usage = await readUsage(services, owner);
  return { about: 'owner', owner, decision: services.rules().access.decide(owner), usage };
}

/** Returns the upload with this link or id, whatever its state. */
export async function findByLinkOrId(services: ExplainServices, target: string): Promise<Upload | undefined> {
  return findUpload(services, toPath(target));
}

/** Returns the record of the removed upload with this link or id. */
export async function findRemovalByLinkOrId(
  services: ExplainServices,
  target: string,
): Promise<Removal | undefined> {
  const path = toPath(target);
  return services.ledger.findRemoval(findId(path) ?? (await locatorFromPath(services, path)) ?? target);
}

async function findUpload(services: ExplainServices, path: string): Promise<Upload | undefined> {
  const { ledger } = services;
  const token = idAfterPrefix(path, PUT_PREFIX);
  if (token !== undefined) return ledger.findByPutKey(toPutKey(token));
  const id = findId(path);
  if (id !== undefined) return (await ledger.find(id)) ?? findById(services, id);
  const locator = await locatorFromPath(services, path);
  return locator === undefined ? undefined : ledger.find(locator);
}

/** Finds uploads whose locator is not their id: those of signed links and imported ones. */
async function findById({ ledger }: ExplainServices, id: string): Promise<Upload | undefined> {
  const [next] = await ledger.listUploads({ after: id.slice(0, -1), limit: 1 });
  return next?.id === id ? next : undefined;
}

/** Returns the locator for a link of an XMPP server or of an imported service. */
async function locatorFromPath(
  { ledger, rules }: ExplainServices,
  path: string,
): Promise<string | undefined> {
  if (!path.startsWith('/')) return undefined;
  return locatorForOldLink([...(await ledger.listOldPaths()), ...(rules().signedPaths ?? [])], path);
}

function findId(path: string): string | undefined {
  const inLink = idAfterPrefix(path, GET_PREFIX) ?? idInBlobPath(path);
  return inLink ?? (/^[0-9a-z]{26}$/.test(path) ? path : undefined);
}

/** The path of `public_url` may come before the prefix. */
function idAfterPrefix(path: string, prefix: string): string | undefined {
  const at = path.lastIndexOf(prefix);
  return at < 0 ? undefined : idInPath(path.slice(at), prefix);
}

function toPath(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url.pathname : target;
}
