import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import { type ClientInfo, requestBaseUrl } from '../../http/common/client-info.ts';
import type { PageKey, RefusalRecord, TrashedUpload } from '../../ledger/contract/ledger.ts';
import { isProbablyEncrypted } from '../../policy/media-type.ts';
import { expiryTime, latestExpiry } from '../../policy/retention.ts';
import { linkOfUpload, thumbnailLink } from '../../uploads/links.ts';
import type { WebServices } from '../web-services.ts';
import { API_PREFIX } from './definitions.ts';

/** Formats milliseconds since 1970 as ISO 8601. */
export function isoTime(ms: number): string;
export function isoTime(ms: number | null): string | null;
export function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/**
 * Returns the base URL of uploads from the page, without a trailing slash. It has the host of the page if possible, because the page
 * sends requests only to its own host.
 */
export function uploadBase(
  { settings }: Pick<WebServices, 'settings'>,
  client: ClientInfo,
  owner: string,
): string {
  const { baseUrls, linkBasesFor } = settings();
  const ofHost = baseUrls.find((url) => new URL(url).host === client.host);
  return ofHost ?? linkBasesFor(owner).putBase ?? requestBaseUrl(client);
}

/** Returns the base URL of an owner's downloads, without a trailing slash. */
export function downloadBase(
  services: Pick<WebServices, 'settings'>,
  client: ClientInfo,
  owner: string,
): string {
  return services.settings().linkBasesFor(owner).getBase ?? uploadBase(services, client, owner);
}

/** Converts a file to the form of the API. `route`: the path of the API at which the client finds the file by its id. */
export function presentFile(
  services: WebServices,
  upload: Upload,
  client: ClientInfo,
  route: 'files' | 'admin/files' = 'files',
) {
  const { retention } = services.rules();
  const latest = latestExpiry(retention, upload);
  return {
    id: upload.id,
    name: upload.name,
    type: upload.type,
    size: upload.size,
    state: upload.state,
    isEncrypted: isProbablyEncrypted(upload),
    purpose: upload.purpose,
    uploadedAt: isoTime(upload.storedAt),
    createdAt: isoTime(upload.createdAt),
    expiresAt: isoTime(expiryTime(retention, upload)),
    canExtend: upload.expiresAt !== null && (latest === null || upload.expiresAt < latest),
    url: linkOf(services, upload, client),
    thumbnailUrl: thumbnailUrlOf(services, upload, client, route),
  };
}

/** Returns the download link; null if an XMPP server has signed it, because Porter does not know it then. */
function linkOf(services: WebServices, upload: Upload, client: ClientInfo): string | null {
  return linkOfUpload(services, downloadBase(services, client, upload.owner), upload) ?? null;
}

/**
 * Returns the URL of the thumbnail, or null if the file has none. It is a URL of Porter itself, also if another server serves the
 * files, and has the host of the page if possible. For files without a link it is a route of the API.
 */
function thumbnailUrlOf(
  services: WebServices,
  upload: Upload,
  client: ClientInfo,
  route: 'files' | 'admin/files',
): string | null {
  if (upload.state !== 'stored' || !services.thumbnails?.mayExist(upload)) return null;
  const link = thumbnailLink(uploadBase(services, client, upload.owner), upload);
  return link ?? `${API_PREFIX}/${route}/${upload.id}/thumbnail`;
}

export function presentAdminFile(services: WebServices, upload: Upload, client: ClientInfo) {
  const { owner, endpoint, sha256 = null, scan = null } = upload;
  return { ...presentFile(services, upload, client, 'admin/files'), owner, endpoint, sha256, scan };
}

export function presentTrashed({
  id,
  owner,
  name,
  type,
  size,
  removedAt,
  removedBy,
  purgeAt,
}: TrashedUpload) {
  return {
    id,
    owner,
    name,
    type,
    size,
    removedAt: isoTime(removedAt),
    removedBy,
    restorableUntil: isoTime(purgeAt),
  };
}

export function presentRefusal({ code, text, endpoint, times, lastAt, name, size }: RefusalRecord) {
  return { code, text, endpoint, times, lastAt: isoTime(lastAt), fileName: name, size };
}

/** Cursors are JSON in base64url, opaque to clients. */
export function writeCursor(key: PageKey | null): string | null {
  return key === null ? null : Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** `forms`: the types of the values. Throws `Refusal` (`bad_request`) for a cursor of another list. */
export function readCursor(
  cursor: string | undefined,
  forms: readonly ('string' | 'number')[],
): PageKey | undefined {
  if (cursor === undefined) return undefined;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const fits =
      Array.isArray(key) && key.length === forms.length && key.every((value, i) => isOf(value, forms[i]));
    if (fits) return key;
  } catch {
    // Answered below.
  }
  throw new Refusal('bad_request', { text: 'The cursor does not belong to this list.' });
}

const isOf = (value: unknown, form: 'string' | 'number' | undefined) =>
  form === 'number' ? Number.isSafeInteger(value) : typeof value === form;
