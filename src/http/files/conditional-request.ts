import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange } from '../../uploads/downloads.ts';

/** Values that a conditional request compares: the strong ETag and the time when the file was stored. */
export interface Validators {
  /** Quoted. */
  readonly etag: string;
  /** Milliseconds since 1970, a multiple of 1000. */
  readonly modifiedAt: number;
}

/** Evaluates the conditions of a GET or HEAD (RFC 9110 §13.2.2). Returns undefined if the request proceeds. */
export function evaluateConditions(headers: IncomingHttpHeaders, file: Validators): 304 | 412 | undefined {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) {
    if (!includesTag(ifMatch, file.etag, 'strong')) return 412;
  } else {
    const since = parseHttpDate(headers['if-unmodified-since']);
    if (since !== undefined && file.modifiedAt > since) return 412;
  }
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return includesTag(ifNoneMatch, file.etag, 'weak') ? 304 : undefined;
  const since = parseHttpDate(headers['if-modified-since']);
  return since !== undefined && file.modifiedAt <= since ? 304 : undefined;
}

/** Returns whether `If-Range` allows a partial answer (RFC 9110 §13.1.5). */
export function isRangeApplicable(headers: IncomingHttpHeaders, file: Validators): boolean {
  const ifRange = headers['if-range'];
  if (ifRange === undefined) return true;
  const validator = String(ifRange).trim();
  if (validator.startsWith('"') || validator.startsWith('W/')) return validator === file.etag;
  return parseHttpDate(validator) === file.modifiedAt;
}

const ENTITY_TAG = /(W\/)?("[^"]*")/g;

function includesTag(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  for (const [, weak, tag] of header.matchAll(ENTITY_TAG)) {
    if (tag === etag && (weak === undefined || comparison === 'weak')) return true;
  }
  return false;
}

/** Parses the three forms of an HTTP date (RFC 9110 §5.6.7). Returns undefined for anything else: the header is then ignored. */
function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !/\d\d:\d\d:\d\d/.test(text)) return undefined;
  const time = Date.parse(/(?:GMT|UTC)\s*$/i.test(text) ? text : `${text} GMT`);
  return Number.isNaN(time) ? undefined : time;
}

const SINGLE_RANGE = /^[ \t]*bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * Parses a `Range` with a single range (RFC 9110 §14) for a file of `size` bytes. Returns undefined if it is malformed, has
 * another unit or several ranges: the answer is then the whole file.
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = SINGLE_RANGE.exec(header);
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? undefined : suffixRange(Number(last), size);
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return undefined;
  return start < size ? { start, end } : 'unsatisfiable';
}

function suffixRange(length: number, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (length === 0) return 'unsatisfiable';
  return size === 0 ? undefined : { start: Math.max(0, size - length), end: size };
}
