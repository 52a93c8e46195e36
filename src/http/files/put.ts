import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import type { AppendProgress } from '../../uploads/receive/resumable/append-bytes.ts';
import { receiveUpload } from '../../uploads/receive.ts';
import { reportRefusedPut } from '../../uploads/refusals/refused-put.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { UploadRequest } from '../../uploads/upload-request.ts';
import { CORS_HEADER_LIST } from '../common/cors.ts';
import { isDoctorRequest } from '../common/doctor-requests.ts';
import { errorResponse } from '../common/error-response.ts';
import { RequestBody } from '../common/request-body.ts';
import { drainRequest } from '../common/send-response.ts';
import { contentLengthOrNull, type FileEndpoint, refuseContentRange, targetBelow } from './file-endpoint.ts';
import type { FileServerSettings } from './file-headers.ts';
import { progressHeaders, readCreation, receiveResumable } from './resumable/resumable-put.ts';
import { uploadLength } from './resumable/upload-headers.ts';
import { declareWholeSize } from './resumable/whole-size.ts';

export type PutServices = UploadServices & {
  /** Called for every request: a reload replaces the settings. */
  readonly settings: () => FileServerSettings;
};

/** Headers of a 201. Clients accept exactly this status (docs/protocols.md, "PUT answers"). */
const CREATED_HEADERS = [...CORS_HEADER_LIST, 'Content-Length', '0'];

/** Handles a PUT at any endpoint. Resolves when the upload is stored or cleaned up and the answer is written. */
export async function handlePut(
  services: PutServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
  res: ServerResponse,
  expectsContinue: boolean,
): Promise<void> {
  const { idleTimeoutMs, totalTimeoutMs, resumable } = services.settings();
  const creation = readCreation(req, resumable);
  const progress: AppendProgress = { received: undefined, isComplete: false };
  const body = new RequestBody(req, {
    idleTimeoutMs,
    totalTimeoutMs,
    contentLength: contentLengthOrNull(req) ?? undefined,
    ...(creation && { keepsArrived: true }),
    ...(expectsContinue && { sendContinue: () => res.writeContinue() }),
  });
  try {
    if (creation?.complete === false) declareWholeSize(req, uploadLength(req) ?? null);
    const upload = { ...readPut(services, endpoint, req), body };
    if (creation) return await receiveResumable(services, creation, { upload, progress, req, res });
    await receiveUpload(services, upload);
    res.writeHead(201, CREATED_HEADERS as string[]).end();
  } catch (error) {
    sendRefusal(services, endpoint, req, res, error, creation && progressHeaders(progress));
  }
}

function readPut(
  services: PutServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
): Omit<UploadRequest, 'body'> {
  const target = targetBelow(endpoint, req.url ?? '/');
  try {
    if (endpoint.readPut === undefined) throw new Refusal('method_not_allowed');
    const upload = endpoint.readPut(req, target);
    if (isDoctorRequest(req)) return { ...upload, isProbe: true };
    refuseContentRange(req);
    return upload;
  } catch (error) {
    if (error instanceof Refusal)
      reportRefusedPut(services, error, {
        by: endpoint.slotOf?.(target.below),
        endpoint: endpoint.name ?? 'slot_api',
        isProbe: isDoctorRequest(req),
      });
    throw error;
  }
}

/** Answers before the whole body has arrived, then drains the request so that the client can read the answer. */
export function sendRefusal(
  { log, clock }: Pick<PutServices, 'log' | 'clock'>,
  endpoint: FileEndpoint,
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  extraHeaders: Readonly<Record<string, string>> = {},
  problemMembers?: Readonly<Record<string, unknown>>,
): void {
  const { accept } = req.headers;
  const response = errorResponse(error, {
    log,
    now: clock(),
    accept,
    endpoint: endpoint.name,
    problemMembers,
  });
  if (res.destroyed) return;
  if (!req.complete) res.shouldKeepAlive = false;
  res.writeHead(response.status, { ...response.headers, ...extraHeaders });
  res.write(response.body);
  drainRequest(req, res);
}
