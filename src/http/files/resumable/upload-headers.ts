import type { IncomingMessage } from 'node:http';
import type { AddressMatcher } from '../../common/client-info.ts';
import { connectionAddress, UNIX_SOCKET } from '../../common/client-info.ts';
import { CORS_HEADERS } from '../../common/cors.ts';

/*
 * The header fields of resumable uploads (draft-ietf-httpbis-resumable-upload). They are structured fields (RFC 9651). An invalid
 * or repeated field is ignored, as the draft says.
 */

/** Settings that a reload may change. */
export interface ResumableSettings {
  /** `uploads.interim_responses`: whether 104 is also sent through a reverse proxy. */
  readonly interimResponses: 'auto' | 'always';
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
}

/** Interop versions of the draft that Porter supports: iOS 26 uses 8, the newest is 9. */
const INTEROP_VERSIONS = ['8', '9'];

export const PARTIAL_UPLOAD = 'application/partial-upload';

const VERSION = 'upload-draft-interop-version';

/** Returns the interop version that a request announces, or undefined if it announces none or an unsupported one. */
export function interopVersion({ headers }: IncomingMessage): string | undefined {
  const version = parseItem(headers[VERSION]);
  return version !== undefined && INTEROP_VERSIONS.includes(version) ? version : undefined;
}

/** Returns the bare item of a structured field, without its parameters. */
function parseItem(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string') return undefined;
  return /^ *([^\s;,"]+) *(?:;[^,"]*)?$/.exec(header)?.[1];
}

function parseInteger(header: string | string[] | undefined): number | undefined {
  const item = parseItem(header);
  return item !== undefined && /^\d{1,15}$/.test(item) ? Number(item) : undefined;
}

/** Returns `Upload-Complete`, or undefined if it is missing or invalid. */
export function uploadComplete({ headers }: IncomingMessage): boolean | undefined {
  const item = parseItem(headers['upload-complete']);
  return item === '?1' ? true : item === '?0' ? false : undefined;
}

/** Returns `Upload-Offset` in bytes, or undefined if it is missing or invalid. */
export const uploadOffset = ({ headers }: IncomingMessage): number | undefined =>
  parseInteger(headers['upload-offset']);

/** Returns `Upload-Length` in bytes, or undefined if it is missing or invalid. */
export const uploadLength = ({ headers }: IncomingMessage): number | undefined =>
  parseInteger(headers['upload-length']);

const PROXY_HEADERS = ['via', 'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'] as const;

/**
 * Returns whether 104 may be sent. nginx forwards an unknown interim response as the final one, and the upload of a client that uses
 * HTTP/2 fails. Therefore 104 is sent through a proxy only if the config says that the proxy forwards it.
 */
export function maySendInterim(request: IncomingMessage, settings: ResumableSettings): boolean {
  // HTTP/1.0 has no interim responses (RFC 9110, section 15.2).
  if (request.httpVersion !== '1.1') return false;
  if (settings.interimResponses === 'always') return true;
  const address = connectionAddress(request.socket);
  const isProxied = address === UNIX_SOCKET || settings.trustedProxies(address);
  return !isProxied && !PROXY_HEADERS.some((name) => request.headers[name] !== undefined);
}

const EXPOSED =
  'Location, Upload-Offset, Upload-Complete, Upload-Length, Upload-Limit, Upload-Draft-Interop-Version';

/** CORS headers of every answer of a resumable upload. */
export const RESUMABLE_CORS_HEADERS: Readonly<Record<string, string>> = {
  ...CORS_HEADERS,
  'Access-Control-Expose-Headers': `${CORS_HEADERS['Access-Control-Expose-Headers']}, Retry-After, ${EXPOSED}`,
};

/** Added to the answer to `OPTIONS` of upload links. Interop version 8 defines `Accept-Patch`, version 9 `Upload-Limit`. */
export const RESUMABLE_OPTIONS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers':
    'Authorization, Content-Type, Range, X-Requested-With, Upload-Offset, Upload-Complete, Upload-Length, Upload-Draft-Interop-Version',
  'Access-Control-Expose-Headers': RESUMABLE_CORS_HEADERS['Access-Control-Expose-Headers'] ?? '',
  'Accept-Patch': PARTIAL_UPLOAD,
  'Upload-Limit': 'min-size=0',
};

/** Returns the value of `Upload-Limit`: the size of the file in bytes, and the seconds until the upload is deleted. */
export function uploadLimit({ size, deadline }: { size: number; deadline: number }, now: number): string {
  return `max-size=${size}, max-age=${Math.max(0, Math.floor((deadline - now) / 1000))}`;
}

export const formatBoolean = (value: boolean) => (value ? '?1' : '?0');
