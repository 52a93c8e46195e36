import type { IncomingMessage } from 'node:http';
import type { AddressMatcher } from '../../common/client-info.ts';
import { connectionAddress, UNIX_SOCKET } from '../../common/client-info.ts';
import { CORS_HEADERS } from '../../common/cors.ts';

/*
 * The header fields of resumable uploads (draft-ietf-httpbis-resumable-upload). They are structured fields (RFC 9651). A field with
 * another value, or one that is there twice, is ignored, as the draft says.
 */

/** Settings that a reload may change. */
export interface ResumableSettings {
  /** `uploads.interim_responses`: whether 104 is also sent through a reverse proxy. */
  readonly interimResponses: 'auto' | 'always';
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
}

/** Versions of the draft that Porter speaks: 8 is that of iOS 26, 9 is the newest. */
const INTEROP_VERSIONS = ['8', '9'];

export const PARTIAL_UPLOAD = 'application/partial-upload';

const VERSION = 'upload-draft-interop-version';

/** Returns the version that a request announces, if Porter speaks it. */
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

/** Returns `Upload-Offset` in bytes. */
export const uploadOffset = ({ headers }: IncomingMessage): number | undefined =>
  parseInteger(headers['upload-offset']);

/** Returns `Upload-Length` in bytes. */
export const uploadLength = ({ headers }: IncomingMessage): number | undefined =>
  parseInteger(headers['upload-length']);

const PROXY_HEADERS = ['via', 'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-real-ip'] as const;

/**
 * Returns whether 104 may be sent. nginx passes an interim response it does not know on as the final one: the upload of a client that
 * speaks HTTP/2 with nginx breaks. So through a proxy 104 is only sent if the config says that it passes.
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

/** Added to the answer to `OPTIONS` where files can be uploaded. Of version 8 is `Accept-Patch`, of version 9 `Upload-Limit`. */
export const RESUMABLE_OPTIONS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers':
    'Authorization, Content-Type, Range, X-Requested-With, Upload-Offset, Upload-Complete, Upload-Length, Upload-Draft-Interop-Version',
  'Access-Control-Expose-Headers': RESUMABLE_CORS_HEADERS['Access-Control-Expose-Headers'] ?? '',
  'Accept-Patch': PARTIAL_UPLOAD,
  'Upload-Limit': 'min-size=0',
};

/** Returns the limits of an upload: its size, and how many seconds are left until it is deleted. */
export function uploadLimit({ size, deadline }: { size: number; deadline: number }, now: number): string {
  return `max-size=${size}, max-age=${Math.max(0, Math.floor((deadline - now) / 1000))}`;
}

export const formatBoolean = (value: boolean) => (value ? '?1' : '?0');
