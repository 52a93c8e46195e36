import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../../../base/errors.ts';
import type { AppendProgress } from '../../../uploads/receive/resumable/append-bytes.ts';
import {
  appendToResource,
  cancelResource,
  OffsetMismatch,
  readResource,
} from '../../../uploads/receive/resumable/resource.ts';
import { optionsHeaders } from '../../common/cors.ts';
import { RequestBody } from '../../common/request-body.ts';
import { contentLengthOrNull, type FileEndpoint } from '../file-endpoint.ts';
import { type PutServices, sendRefusal } from '../put.ts';
import { sendInterim } from './interim-responses.ts';
import { progressHeaders } from './resumable-put.ts';
import {
  formatBoolean,
  interopVersion,
  maySendInterim,
  PARTIAL_UPLOAD,
  RESUMABLE_CORS_HEADERS,
  RESUMABLE_OPTIONS_HEADERS,
  type ResumableSettings,
  uploadComplete,
  uploadLength,
  uploadLimit,
  uploadOffset,
} from './upload-headers.ts';

const ALLOW = 'OPTIONS, HEAD, GET, PATCH, DELETE';

export interface ResourceRequest {
  /** The secret in the request target. */
  readonly secret: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly expectsContinue: boolean;
}

/** Handles a request to an upload resource. */
export async function handleResource(
  services: PutServices & { readonly resumable: ResumableSettings },
  endpoint: FileEndpoint,
  { secret, req: request, res: response, expectsContinue }: ResourceRequest,
): Promise<void> {
  const progress: AppendProgress = { received: undefined, isComplete: false };
  try {
    switch (request.method) {
      case 'OPTIONS':
        response.writeHead(200, { ...optionsHeaders(ALLOW, request), ...RESUMABLE_OPTIONS_HEADERS }).end();
        return;
      case 'HEAD':
      case 'GET':
        return await sendState(services, secret, response);
      case 'PATCH':
        return await append(services, secret, { request, response, expectsContinue, progress });
      case 'DELETE':
        await cancelResource(services, secret);
        response.writeHead(204, RESUMABLE_CORS_HEADERS).end();
        return;
      default:
        throw new Refusal('method_not_allowed');
    }
  } catch (error) {
    const extra = { ...progressHeaders(progress), ...(isNotAllowed(error) && { Allow: ALLOW }) };
    sendRefusal(services, endpoint, request, response, error, extra, problemMembers(error));
  }
}

const isNotAllowed = (error: unknown) => error instanceof Refusal && error.code === 'method_not_allowed';

async function sendState(services: PutServices, secret: string, response: ServerResponse): Promise<void> {
  const { upload, received, isComplete } = await readResource(services, secret);
  const headers = {
    ...RESUMABLE_CORS_HEADERS,
    'Upload-Offset': String(received),
    'Upload-Complete': formatBoolean(isComplete),
    'Upload-Length': String(upload.size),
    'Upload-Limit': uploadLimit(upload, services.clock()),
    'Cache-Control': 'no-store',
  };
  response.writeHead(204, headers).end();
}

interface Append {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly expectsContinue: boolean;
  readonly progress: AppendProgress;
}

async function append(
  services: PutServices & { readonly resumable: ResumableSettings },
  secret: string,
  { request, response, expectsContinue, progress }: Append,
): Promise<void> {
  const { offset, complete } = readAppend(request);
  const contentLength = contentLengthOrNull(request);
  const { idleTimeoutMs, totalTimeoutMs } = services.settings();
  const body = new RequestBody(request, {
    idleTimeoutMs,
    totalTimeoutMs,
    contentLength: contentLength ?? undefined,
    keepsArrived: true,
    ...(expectsContinue && { sendContinue: () => response.writeContinue() }),
  });
  const sendsInterim = interopVersion(request) !== undefined && maySendInterim(request, services.resumable);
  const stored = await appendToResource(services, secret, {
    body,
    offset,
    complete,
    length: declaredLength(request, { offset, complete, contentLength }),
    progress,
    onDurable(received) {
      if (sendsInterim) sendInterim(request, response, { 'Upload-Offset': String(received) });
    },
  });
  const received = stored ? stored.size : (progress.received ?? offset);
  response
    .writeHead(stored ? 201 : 204, {
      ...RESUMABLE_CORS_HEADERS,
      'Upload-Offset': String(received),
      'Upload-Complete': formatBoolean(stored !== undefined),
      ...(stored && { 'Content-Length': '0' }),
    })
    .end();
}

/** Reads the headers of a PATCH. Throws a `Refusal`. */
function readAppend(request: IncomingMessage): { readonly offset: number; readonly complete: boolean } {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== PARTIAL_UPLOAD)
    throw new Refusal('media_type_unknown', {
      text: `The Content-Type of a PATCH must be ${PARTIAL_UPLOAD}.`,
    });
  const offset = uploadOffset(request);
  const complete = uploadComplete(request);
  if (offset === undefined || complete === undefined)
    throw new Refusal('bad_request', {
      text: 'A PATCH needs Upload-Offset with a number of bytes, and Upload-Complete with ?0 or ?1.',
    });
  return { offset, complete };
}

/** Returns the length of the file from the headers; null if they name none. Throws `Refusal` if they name two different lengths. */
function declaredLength(
  request: IncomingMessage,
  {
    offset,
    complete,
    contentLength,
  }: { readonly offset: number; readonly complete: boolean; readonly contentLength: number | null },
): number | null {
  const named = uploadLength(request) ?? null;
  const sum = complete && contentLength !== null ? offset + contentLength : null;
  if (named !== null && sum !== null && named !== sum) throw new Refusal('length_inconsistent');
  return named ?? sum;
}

const PROBLEM_TYPES = 'https://iana.org/assignments/http-problem-types#';

/** Returns the problem type of the draft (RFC 9457), and its members. */
function problemMembers(error: unknown): Record<string, unknown> | undefined {
  if (error instanceof OffsetMismatch) {
    const members = { 'expected-offset': error.expected, 'provided-offset': error.provided };
    return { type: `${PROBLEM_TYPES}mismatching-upload-offset`, ...members };
  }
  const isLength = error instanceof Refusal && error.code === 'length_inconsistent';
  return isLength ? { type: `${PROBLEM_TYPES}inconsistent-upload-length` } : undefined;
}
