import { resumableBlobKey } from '../../../base/blob-keys.ts';
import { Refusal } from '../../../base/errors.ts';
import { randomId, sha256Hex } from '../../../base/ids.ts';
import type { Upload } from '../../../base/upload-records.ts';
import { claim, storeClaimed } from '../../receive.ts';
import { reportFailedPut } from '../../refusals/refused-put.ts';
import { releaseClaim } from '../../release-claim.ts';
import type { UploadServices } from '../../services.ts';
import { checkDeclaredBody, type UploadBody, type UploadRequest } from '../../upload-request.ts';
import { storeDirectly } from '../store-directly.ts';
import { type AppendRequest, appendBytes, type ClaimedResource } from './append-bytes.ts';
import { isInterruption } from './resource.ts';

/** `complete`: the body is the whole file. */
export interface CreationRequest extends UploadRequest, AppendRequest {
  readonly body: UploadBody;
  /** Called once the resource exists, before the body is read. `secret` is the only way to find it again. */
  readonly onCreated: (secret: string, upload: Upload) => void;
}

/**
 * Begins a resumable upload with the body of a PUT. Resolves with the stored upload, or with undefined if more bytes have to come.
 * A small file that has arrived whole, and a file that was stored before, need no resource.
 */
export async function createResumable(
  services: UploadServices,
  request: CreationRequest,
): Promise<Upload | undefined> {
  let upload: Upload | undefined;
  try {
    const direct = request.complete ? await storeDirectly(services, request) : undefined;
    if (direct) return direct;
    const token = randomId();
    const claimed = await claim(services, request, token);
    if (claimed.outcome !== 'unknown') upload = claimed.upload;
    if (claimed.outcome === 'stored' && !request.complete) throw new Refusal('already_there');
    if (claimed.outcome !== 'claimed') return (await storeClaimed(services, claimed, token, request)).upload;
    const resource = await begin(services, claimed.upload, token, request);
    return await appendBytes(services, resource, request);
  } catch (error) {
    const goesOn = (refusal: Refusal) => isInterruption(refusal) && request.progress.received !== undefined;
    throw reportFailedPut(services, error, request, upload, goesOn);
  }
}

/** Makes a claimed slot resumable. After a failure, releases the claim. */
async function begin(
  services: UploadServices,
  slot: Upload,
  token: string,
  request: CreationRequest,
): Promise<ClaimedResource> {
  const secret = randomId();
  const upload = { ...slot, blob: resumableBlobKey(slot.blob, token) };
  try {
    checkDeclaredBody(services.rules(), slot, request);
    await services.spaceReserve.check(slot.size);
    const resource = { id: slot.id, token, resourceKey: sha256Hex(secret), blob: upload.blob };
    if (!(await services.ledger.beginResumable(resource))) throw new Refusal('being_uploaded');
    request.onCreated(secret, upload);
    return { upload, token, received: 0 };
  } catch (error) {
    request.body.abort(error as Error);
    await releaseClaim(services, slot, token);
    throw error;
  }
}
