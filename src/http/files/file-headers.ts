import type { Upload } from '../../base/upload-records.ts';
import { isShownInline, parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import { expiryTime, type Retention } from '../../policy/retention.ts';
import type { CachedFile } from '../../uploads/file-cache.ts';
import { CORS_HEADERS } from '../common/cors.ts';
import type { Validators } from './conditional-request.ts';
import { contentDisposition } from './content-disposition.ts';
import type { FileServerSettings } from './file-server-services.ts';

/** Headers of one file, worked out once as long as it is hot. Lists are name, value, name, value. */
export interface FileHeaders extends Validators {
  /** Of every answer with the file's bytes or instead of them. */
  readonly common: readonly string[];
  /** Of an answer with the whole file; without `Cache-Control`. */
  readonly whole: readonly string[];
  /** Of an answer with a part of it; without `Cache-Control`, `Content-Length` and `Content-Range`. */
  readonly part: readonly string[];
  readonly type: string;
  /** `Content-Disposition`. */
  readonly disposition: string;
  /** `Cache-Control` is up to the admin where the config names it. */
  readonly setsCacheControl: boolean;
  /** When the file ends, ms since 1970; null = never. */
  readonly expiresAt: number | null;
  readonly settings: FileServerSettings;
  readonly retention: Retention;
}

/** Nothing in a file may run, frame or be framed, whatever it is (FIELD 3.1.25). */
const SAFETY: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

/** A year, in seconds: as long as anybody keeps anything. */
const FOREVER = 31_536_000;

export function fileHeadersFor(
  file: CachedFile,
  settings: FileServerSettings,
  retention: Retention,
): FileHeaders {
  const known = file.headers as FileHeaders | undefined;
  if (known?.settings === settings && known.retention === retention) return known;
  const made = makeHeaders(file.upload, settings, retention);
  file.headers = made;
  return made;
}

function makeHeaders(upload: Upload, settings: FileServerSettings, retention: Retention): FileHeaders {
  const modifiedAt = Math.floor((upload.storedAt ?? upload.createdAt) / 1000) * 1000;
  const etag = `"${upload.id}"`;
  const extra = settings.downloadHeaders;
  const replaced = new Set(Object.keys(extra).map((name) => name.toLowerCase()));
  const list = (headers: Readonly<Record<string, string>>) =>
    Object.entries(headers)
      .filter(([name]) => !replaced.has(name.toLowerCase()))
      .flat();

  const common = [
    ...list({ ETag: etag, 'Last-Modified': new Date(modifiedAt).toUTCString(), ...CORS_HEADERS, ...SAFETY }),
    ...Object.entries(extra).flat(),
  ];
  const type = parseMediaType(upload.type) ?? UNKNOWN_TYPE;
  const shown = isShownInline(type, settings.inlineTypes) ? 'inline' : 'attachment';
  const disposition = contentDisposition(shown, upload.name);
  const content = list({
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

/** Seconds that are left, rounded down: no cache shows a file that has ended. */
export function cacheControl(end: number | null, now: number): string {
  const left = end === null ? FOREVER : Math.min(FOREVER, Math.max(0, Math.floor((end - now) / 1000)));
  return `public, immutable, max-age=${left}`;
}
