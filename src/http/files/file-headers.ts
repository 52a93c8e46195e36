import type { Upload } from '../../base/upload-records.ts';
import { cleanFileName, encodeForUrl } from '../../policy/file-names.ts';
import { isShownInline, parseMediaType, UNKNOWN_TYPE, usualExtension } from '../../policy/media-type.ts';
import { expiryTime, type Retention } from '../../policy/retention.ts';
import type { CachedFile } from '../../uploads/file-cache.ts';
import { CORS_HEADERS } from '../common/cors.ts';
import type { Validators } from './conditional-request.ts';
import type { ResumableSettings } from './resumable/upload-headers.ts';

/** Settings that a reload may change. */
export interface FileServerSettings {
  /** `uploads.idle_timeout`: milliseconds without a byte after which a transfer is ended. */
  readonly idleTimeoutMs: number;
  /** `uploads.total_timeout`: milliseconds after which an upload is ended. */
  readonly totalTimeoutMs: number;
  /** `downloads.inline_types`. */
  readonly inlineTypes: readonly string[];
  /** `downloads.headers`: each replaces Porter's header of the same name. */
  readonly downloadHeaders: Readonly<Record<string, string>>;
  /** Absent if `uploads.resumable` is off. */
  readonly resumable?: ResumableSettings | undefined;
}

/** Headers of one file, computed once per entry of the file cache. Lists are name, value, name, value. */
export interface FileHeaders extends Validators {
  /** Headers of every answer about the file, 304 and 412 included. */
  readonly common: readonly string[];
  /** Headers of an answer with the whole file, except `Cache-Control`. */
  readonly whole: readonly string[];
  /** Headers of an answer with a range, except `Cache-Control`, `Content-Length` and `Content-Range`. */
  readonly part: readonly string[];
  readonly type: string;
  /** `Content-Disposition`. */
  readonly disposition: string;
  /** False if `downloads.headers` sets `Cache-Control`. */
  readonly setsCacheControl: boolean;
  /** Milliseconds since 1970; null if the file is kept without limit. */
  readonly expiresAt: number | null;
  readonly settings: FileServerSettings;
  readonly retention: Retention;
}

/**
 * Prevents files from running scripts and from framing or being framed (docs/protocols.md, "GET answers"). `media-src` lets
 * a browser play an audio or video link that is opened directly.
 */
const SAFETY_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'X-Robots-Tag': 'noindex',
};

/** One year in seconds. */
const MAX_CACHE_SECONDS = 31_536_000;

/** Returns the headers of a file. They are computed again only if the settings or the retention have changed. */
export function fileHeadersFor(
  file: CachedFile,
  settings: FileServerSettings,
  retention: Retention,
): FileHeaders {
  const cached = file.headers as FileHeaders | undefined;
  if (cached?.settings === settings && cached.retention === retention) return cached;
  const headers = createFileHeaders(file.upload, settings, retention);
  file.headers = headers;
  return headers;
}

function createFileHeaders(upload: Upload, settings: FileServerSettings, retention: Retention): FileHeaders {
  const modifiedAt = Math.floor((upload.storedAt ?? upload.createdAt) / 1000) * 1000;
  const etag = `"${upload.id}"`;
  const extra = settings.downloadHeaders;
  const replaced = new Set(Object.keys(extra).map((name) => name.toLowerCase()));
  const toList = (headers: Readonly<Record<string, string>>) =>
    Object.entries(headers)
      .filter(([name]) => !replaced.has(name.toLowerCase()))
      .flat();

  const common = [
    ...toList({
      ETag: etag,
      'Last-Modified': new Date(modifiedAt).toUTCString(),
      ...CORS_HEADERS,
      ...SAFETY_HEADERS,
    }),
    ...Object.entries(extra).flat(),
  ];
  const type = parseMediaType(upload.type) ?? UNKNOWN_TYPE;
  const kind = isShownInline(type, settings.inlineTypes) ? 'inline' : 'attachment';
  const disposition = contentDisposition(kind, cleanFileName(upload.name, usualExtension(type)));
  const content = toList({
    'Content-Type': type,
    'Accept-Ranges': 'bytes',
    'Content-Disposition': disposition,
  });
  const part = [...content, ...common];
  return {
    etag,
    modifiedAt,
    common,
    whole: ['Content-Length', String(upload.size), ...part],
    part,
    type,
    disposition,
    setsCacheControl: !replaced.has('cache-control'),
    expiresAt: expiryTime(retention, upload),
    settings,
    retention,
  };
}

/** Returns a `Cache-Control` whose `max-age` ends no later than the file. */
export function cacheControl(expiresAt: number | null, now: number): string {
  return `public, immutable, max-age=${maxAgeSeconds(expiresAt, now)}`;
}

/** Returns the seconds until the file expires: at least 0, at most one year. */
export function maxAgeSeconds(expiresAt: number | null, now: number): number {
  if (expiresAt === null) return MAX_CACHE_SECONDS;
  return Math.min(MAX_CACHE_SECONDS, Math.max(0, Math.floor((expiresAt - now) / 1000)));
}

/**
 * Returns a `Content-Disposition` with the exact name of the file and an ASCII fallback (RFC 6266, RFC 8187). No character
 * of the name can end the value or the header.
 */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  return `${kind}; filename="${toAsciiName(name)}"; filename*=UTF-8''${encodeForUrl(name)}`;
}

/** Replaces quotes, backslashes and `%`: clients disagree on how to read them. */
function toAsciiName(name: string): string {
  const unaccented = name.normalize('NFKD').replace(/\p{M}/gu, '');
  return unaccented.replace(/[^ -~]|["%\\]/gu, '_');
}
