import { Refusal } from '../base/errors.ts';
import { encodeForUrl } from '../policy/file-names.ts';
import { parseFileSize } from '../policy/file-size.ts';
import { parseMediaType, UNKNOWN_TYPE } from '../policy/media-type.ts';
import { type SignedPath, signedLocator } from '../policy/signed-path.ts';
import { receiveUpload } from '../uploads/receive.ts';
import { removeUploads } from '../uploads/remove.ts';
import { type Attachment, storeAttachment } from './attachments.ts';
import type { MessageServices } from './message-services.ts';

export interface ShareRequest {
  /** Bare JID. */
  readonly owner: string;
  /** The path below `messages.share_path`. */
  readonly path: SignedPath;
  readonly file: Attachment;
  /** `messages.share_path`; begins and ends with a slash. */
  readonly sharePath: string;
  /** Base URL of links, without a trailing slash. */
  readonly linkBase: string;
}

/**
 * Stores a file as an upload of its owner, under the same rules as every upload, and returns its link. A name without folders gets
 * a link that cannot be guessed. A path with folders is kept: the file has exactly this path, which the client may have published
 * already (Matterbridge). Throws `Refusal`, and removes the stored part, if the file cannot be stored.
 */
export async function shareFile(services: MessageServices, request: ShareRequest): Promise<string> {
  const { path, sharePath, linkBase } = request;
  if (path.segments.length === 1) return await storeUnderId(services, request);
  await storeUnderPath(services, request);
  return `${linkBase}${sharePath}${path.segments.map(encodeForUrl).join('/')}`;
}

async function storeUnderId(
  services: MessageServices,
  { owner, file, linkBase }: ShareRequest,
): Promise<string> {
  const granted: string[] = [];
  try {
    const stored = await storeAttachment(services, owner, file, linkBase, granted);
    return stored.file.url;
  } catch (error) {
    if (granted.length > 0)
      await removeUploads(services, { ids: granted, reason: 'deleted', detail: 'its upload failed' });
    throw error;
  }
}

/** The same bytes may be sent again at any time; other bytes are refused. After its expiry, the path can be used again. */
async function storeUnderPath(services: MessageServices, { owner, path, file }: ShareRequest): Promise<void> {
  const { type } = file;
  const size = parseFileSize(file.size);
  if (typeof size !== 'number') throw new Refusal('bad_request', { text: size.problem });
  const locator = signedLocator('share', path);
  await receiveUpload(services, {
    by: { locator },
    endpoint: 'messages',
    size,
    type,
    body: file.open(),
    ...(file.path !== undefined && { file: file.path }),
    signed: {
      locator,
      uploader: { jid: owner },
      name: path.name,
      size,
      type: parseMediaType(type ?? '') ?? UNKNOWN_TYPE,
      maxFileSize: null,
      maxTotalSize: null,
      maxFiles: null,
      deadline: services.clock() + services.rules().slotTimeout,
      repeatForMs: Number.POSITIVE_INFINITY,
      expiresAt: null,
      reusesLocator: true,
    },
  });
}
