import { toPutKey } from '../base/ids.ts';
import { parseBareJid } from '../base/jid.ts';
import type { Removal, Upload } from '../base/upload-records.ts';
import type { Usage } from '../ledger/contract/ledger.ts';
import type { AccessDecision } from '../policy/access.ts';
import { expiryTime } from '../policy/retention.ts';
import { GET_PREFIX, idInBlobPath, idInPath, PUT_PREFIX } from './links.ts';
import { readUsage } from './list.ts';
import { locatorForOldLink } from './old-links.ts';
import type { UploadServices } from './services.ts';

/** Which rule decides for somebody, or what became of a file. */
export type Explanation =
  | {
      readonly about: 'owner';
      readonly owner: string;
      readonly decision: AccessDecision;
      readonly usage: Usage;
    }
  | {
      readonly about: 'upload';
      readonly upload: Upload /** ms since 1970; null = never. */;
      readonly endsAt: number | null;
    }
  | { readonly about: 'removal'; readonly removal: Removal }
  | { readonly about: 'nothing'; readonly target: string };

/** Answers for a download or upload link, an upload's id, or a JID. */
export async function explain(deps: UploadServices, target: string): Promise<Explanation> {
  const path = pathOf(target);
  const upload = await findUpload(deps, path);
  if (upload) return { about: 'upload', upload, endsAt: expiryTime(deps.rules().retention, upload) };
  const removal = await deps.ledger.findRemoval(idOf(path) ?? (await foreignLocator(deps, path)) ?? target);
  if (removal) return { about: 'removal', removal };
  const owner = /^https?:|^\//.test(target) ? undefined : parseBareJid(target);
  if (owner === undefined || idOf(path) !== undefined) return { about: 'nothing', target };
  const usage = await readUsage(deps, owner);
  return { about: 'owner', owner, decision: deps.rules().access.decide(owner), usage };
}

/** The upload that a link or an id means, whatever its state. */
export async function findByLinkOrId(deps: UploadServices, target: string): Promise<Upload | undefined> {
  return findUpload(deps, pathOf(target));
}

async function findUpload(deps: UploadServices, path: string): Promise<Upload | undefined> {
  const { ledger } = deps;
  const token = idBehind(path, PUT_PREFIX);
  if (token !== undefined) return ledger.findByPutKey(toPutKey(token));
  const id = idOf(path);
  if (id !== undefined) return (await ledger.find(id)) ?? findById(deps, id);
  const locator = await foreignLocator(deps, path);
  return locator === undefined ? undefined : ledger.find(locator);
}

/** Uploads of other doors and imported ones have ids too, though their links know nothing of them. */
async function findById({ ledger }: UploadServices, id: string): Promise<Upload | undefined> {
  const [next] = await ledger.listUploads({ after: id.slice(0, -1), limit: 1 });
  return next?.id === id ? next : undefined;
}

/** A link that an XMPP server has made, or a service that was taken over. */
async function foreignLocator({ ledger, rules }: UploadServices, path: string): Promise<string | undefined> {
  if (!path.startsWith('/')) return undefined;
  return locatorForOldLink([...(await ledger.listOldPaths()), ...(rules().signedPaths ?? [])], path);
}

function idOf(path: string): string | undefined {
  const inLink = idBehind(path, GET_PREFIX) ?? idInBlobPath(path);
  return inLink ?? (/^[0-9a-z]{26}$/.test(path) ? path : undefined);
}

/** Links may carry the path of `public_url` before ours. */
function idBehind(path: string, prefix: string): string | undefined {
  const at = path.lastIndexOf(prefix);
  return at < 0 ? undefined : idInPath(path.slice(at), prefix);
}

function pathOf(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url.pathname : target;
}
