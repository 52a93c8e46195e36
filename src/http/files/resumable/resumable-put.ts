import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Upload } from '../../../base/upload-records.ts';
import type { AppendProgress } from '../../../uploads/receive/resumable/append-bytes.ts';
import { keptUntil } from '../../../uploads/receive/resumable/append-bytes.ts';
import { createResumable } from '../../../uploads/receive/resumable/create.ts';
import type { UploadServices } from '../../../uploads/services.ts';
import type { UploadRequest } from '../../../uploads/upload-request.ts';
import { isDoctorRequest } from '../../common/doctor-requests.ts';
import { sendInterim } from './interim-responses.ts';
import { resourceReference } from './resource-target.ts';
import {
  formatBoolean,
  interopVersion,
  maySendInterim,
  RESUMABLE_CORS_HEADERS,
  type ResumableSettings,
  uploadComplete,
  uploadLimit,
} from './upload-headers.ts';

/** A PUT that begins a resumable upload. */
export interface Creation {
  /** `Upload-Complete`: whether the body is the whole file. */
  readonly complete: boolean;
  readonly sendsInterim: boolean;
}

/**
 * Returns how a PUT begins a resumable upload, or undefined for a plain PUT. A PUT with the whole file counts as plain if 104 cannot
 * be sent, because its client would never learn the address of the upload resource.
 */
export function readCreation(
  request: IncomingMessage,
  settings: ResumableSettings | undefined,
): Creation | undefined {
  if (settings === undefined || interopVersion(request) === undefined) return undefined;
  const complete = uploadComplete(request);
  if (complete === undefined) return undefined;
  // The doctor sends whole files to test whether the web server forwards 104.
  const isTest = complete && isDoctorRequest(request) && request.httpVersion === '1.1';
  const sendsInterim = isTest || maySendInterim(request, settings);
  return complete && !sendsInterim ? undefined : { complete, sendsInterim };
}

export interface ResumablePut {
  readonly upload: UploadRequest;
  readonly progress: AppendProgress;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** Receives the body and answers 201. Throws `Refusal`; `progress` then has the offset for the answer. */
export async function receiveResumable(
  services: UploadServices,
  { complete, sendsInterim }: Creation,
  { upload, progress, req: request, res: response }: ResumablePut,
): Promise<void> {
  const interim = (headers: Record<string, string>) =>
    sendsInterim && sendInterim(request, response, headers);
  let created: Record<string, string> = {};
  const stored = await createResumable(services, {
    ...upload,
    complete,
    progress,
    onDurable: (received) => interim({ 'Upload-Offset': String(received) }),
    onCreated(secret: string, slot: Upload) {
      const limit = { size: slot.size, deadline: Math.max(slot.deadline, keptUntil(services)) };
      created = {
        Location: resourceReference(secret),
        'Upload-Limit': uploadLimit(limit, services.clock()),
      };
      interim(created);
    },
  });
  const isComplete = stored !== undefined;
  response
    .writeHead(201, {
      ...RESUMABLE_CORS_HEADERS,
      ...(!isComplete && created),
      ...(!isComplete && { 'Upload-Offset': String(progress.received ?? 0) }),
      'Upload-Complete': formatBoolean(isComplete),
      'Content-Length': '0',
    })
    .end();
}

/** Returns the headers of an error that tell the client where to resume; none if the upload does not exist yet. */
export function progressHeaders({ received, isComplete }: AppendProgress): Record<string, string> {
  if (received === undefined) return {};
  return {
    'Access-Control-Expose-Headers': RESUMABLE_CORS_HEADERS['Access-Control-Expose-Headers'] ?? '',
    'Upload-Offset': String(received),
    'Upload-Complete': formatBoolean(isComplete),
  };
}
