import { Refusal } from '../base/errors.ts';
import { toPutKey } from '../base/ids.ts';
import type { SharedFile } from '../stanza/message.ts';
import { grantSlot } from '../uploads/grant-slot.ts';
import { fileUrl } from '../uploads/links.ts';
import { receiveUpload } from '../uploads/receive.ts';
import { removeUploads } from '../uploads/remove.ts';
import type { UploadServices } from '../uploads/services.ts';
import type { UploadBody } from '../uploads/upload-request.ts';

/** A file that has come whole and is to be sent along. */
export interface Attachment {
  readonly name: string;
  /** Null where nobody knows. */
  readonly type: string | null;
  /** Bytes. */
  readonly size: number;
  /** Base64 SHA-256. */
  readonly sha256: string;
  /** Its bytes, once. */
  open(): UploadBody;
}

export interface StoredAttachment {
  readonly id: string;
  readonly file: SharedFile;
}

/**
 * Stores files as uploads of their sender, under the same rules as all uploads; all of them, or with a `Refusal`
 * none. `linkBase` is where their links point, without a slash at its end.
 */
export async function storeAttachments(
  deps: UploadServices,
  owner: string,
  files: readonly Attachment[],
  linkBase: string,
): Promise<StoredAttachment[]> {
  const granted: string[] = [];
  const stored: StoredAttachment[] = [];
  try {
    for (const file of files) stored.push(await store(deps, owner, file, linkBase, granted));
    return stored;
  } catch (error) {
    await discardAttachments(deps, granted);
    throw error;
  }
}

/** Removes what was stored for a message that nobody got. */
export async function discardAttachments(deps: UploadServices, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await removeUploads(deps, { ids, reason: 'deleted', detail: 'its message was not sent' });
}

async function store(
  deps: UploadServices,
  owner: string,
  { name, type, size, sha256, open }: Attachment,
  linkBase: string,
  granted: string[],
): Promise<StoredAttachment> {
  if (size === 0) throw new Refusal('bad_request', { text: 'A file is empty.' });
  const slot = await grantSlot(deps, { endpoint: 'messages', jid: owner, name, size, type });
  granted.push(slot.id);
  const by = { putKey: toPutKey(slot.token) };
  await receiveUpload(deps, { by, endpoint: 'messages', size, type: slot.type, body: open() });
  return { id: slot.id, file: { url: fileUrl(deps, linkBase, slot), name, type: slot.type, size, sha256 } };
}
