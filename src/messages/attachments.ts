import { Refusal } from '../base/errors.ts';
import { toPutKey } from '../base/ids.ts';
import { parseBareJid } from '../base/jid.ts';
import type { SharedFile } from '../stanza/message.ts';
import { grantSlot } from '../uploads/grant-slot.ts';
import { fileUrl, SHOWN_WIDTH, thumbnailLink } from '../uploads/links.ts';
import { receiveUpload } from '../uploads/receive.ts';
import { removeUploads } from '../uploads/remove.ts';
import type { UploadBody } from '../uploads/upload-request.ts';
import type { MessageServices } from './message-services.ts';
import { type PictureSize, readPictureSize } from './picture-size.ts';

/** A complete file that is sent with a message. */
export interface Attachment {
  readonly name: string;
  /** Media type; null if unknown. */
  readonly type: string | null;
  /** Bytes. */
  readonly size: number;
  /** Base64 SHA-256; undefined if the bytes have not been read. */
  readonly sha256?: string | undefined;
  /** Width and height of a picture; undefined if they are unknown. */
  readonly picture?: PictureSize | undefined;
  /** A local file with the bytes that may be linked into the blob store. */
  readonly path?: string | undefined;
  /** Returns the bytes. Called at most once. */
  open(): UploadBody;
}

export interface StoredAttachment {
  readonly id: string;
  readonly file: SharedFile;
}

/**
 * Stores all files as uploads of `owner`, under the same rules as every upload. If one is refused, removes the others and
 * throws the `Refusal`. `linkBase` is the base URL of their links, without a trailing slash.
 */
export async function storeAttachments(
  services: MessageServices,
  owner: string,
  files: readonly Attachment[],
  linkBase: string,
): Promise<StoredAttachment[]> {
  const granted: string[] = [];
  const stored: StoredAttachment[] = [];
  try {
    for (const file of files) stored.push(await storeAttachment(services, owner, file, linkBase, granted));
    return await Promise.all(
      stored.map((attachment) => withThumbnail(services, owner, attachment, linkBase)),
    );
  } catch (error) {
    await discardAttachments(services, granted);
    throw error;
  }
}

/** Milliseconds for which a message waits for the thumbnails of its pictures. */
const THUMBNAIL_WAIT_MS = 5000;

/** Adds the link of a thumbnail, if there is one in time. */
async function withThumbnail(
  services: MessageServices,
  owner: string,
  { id, file }: StoredAttachment,
  linkBase: string,
): Promise<StoredAttachment> {
  const thumbnail = await makeThumbnail(services, owner, id, linkBase).catch(() => undefined);
  return { id, file: { ...file, thumbnail } };
}

async function makeThumbnail(
  services: MessageServices,
  owner: string,
  id: string,
  linkBase: string,
): Promise<SharedFile['thumbnail']> {
  const { thumbnails, ledger, rules, messageRules } = services;
  if (!thumbnails?.isOn()) return undefined;
  const upload = await ledger.find(id);
  if (upload === undefined) return undefined;
  const bytes = await thumbnails.find(upload, SHOWN_WIDTH, AbortSignal.timeout(THUMBNAIL_WAIT_MS));
  const size = bytes && readPictureSize(bytes);
  // A web server that serves the files itself has no thumbnails.
  const base = rules().fileUrlBuilder ? (messageRules().uploadUrlFor(owner) ?? linkBase) : linkBase;
  const url = thumbnailLink(base, upload);
  return size && url !== undefined ? { url, type: 'image/webp', ...size } : undefined;
}

/** Removes the attachments of a message that was not sent. */
export async function discardAttachments(services: MessageServices, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await removeUploads(services, {
    ids,
    reason: 'deleted',
    detail: 'its message was not sent',
    forGood: true,
  });
}

/** Stores one file. Appends its id to `granted` before the upload starts, so that the caller can remove a failed upload. */
export async function storeAttachment(
  services: MessageServices,
  owner: string,
  { name, type, size, sha256, picture, path, open }: Attachment,
  linkBase: string,
  granted: string[],
): Promise<StoredAttachment> {
  const slot = await grantSlot(services, { endpoint: 'messages', jid: owner, name, size, type }).catch(
    (error: unknown) => {
      const request = { kind: 'slot', endpoint: 'messages', owner: parseBareJid(owner), name, size } as const;
      if (error instanceof Refusal) services.refusals.add({ ...request, refusal: error });
      throw error;
    },
  );
  granted.push(slot.id);
  const by = { putKey: toPutKey(slot.token) };
  const body = { body: open(), ...(path !== undefined && { file: path }) };
  await receiveUpload(services, { by, endpoint: 'messages', size, type: slot.type, ...body });
  return {
    id: slot.id,
    file: {
      id: slot.id,
      url: fileUrl(services, linkBase, slot),
      name: slot.name,
      type: slot.type,
      size,
      sha256,
      picture,
    },
  };
}
