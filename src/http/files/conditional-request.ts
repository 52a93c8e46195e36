import type { IncomingHttpHeaders } from 'node:http';

/** What a client may hold against a file: its strong validator and when it was stored. */
export interface Validators {
  /** With its quotes. */
  readonly etag: string;
  /** ms since 1970, whole seconds. */
  readonly modifiedAt: number;
}

/** Conditions of a GET or HEAD in the order of RFC 9110 §13.2.2; undefined where they leave it alone. */
export function evaluateConditions(headers: IncomingHttpHeaders, file: Validators): 304 | 412 | undefined {
  const unlessChanged = headers['if-match'];
  if (unlessChanged !== undefined) {
    if (!lists(unlessChanged, file.etag, 'strong')) return 412;
  } else {
    const since = readDate(headers['if-unmodified-since']);
    if (since !== undefined && file.modifiedAt > since) return 412;
  }
  const ifChanged = headers['if-none-match'];
  if (ifChanged !== undefined) return lists(ifChanged, file.etag, 'weak') ? 304 : undefined;
  const since = readDate(headers['if-modified-since']);
  return since !== undefined && file.modifiedAt <= since ? 304 : undefined;
}

/** May a range be answered? Only where the client's part is of this very file (§13.1.5). */
export function isRangeApplicable(headers: IncomingHttpHeaders, file: Validators): boolean {
  const ifRange = headers['if-range'];
  if (ifRange === undefined) return true;
  const validator = String(ifRange).trim();
  if (validator.startsWith('"') || validator.startsWith('W/')) return validator === file.etag;
  return readDate(validator) === file.modifiedAt;
}

const ENTITY_TAG = /(W\/)?("[^"]*")/g;

function lists(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  for (const [, weak, tag] of header.matchAll(ENTITY_TAG)) {
    if (tag === etag && (weak === undefined || comparison === 'weak')) return true;
  }
  return false;
}

/** All three forms of an HTTP date; undefined where it is none, as if the header were not there. */
function readDate(text: string | undefined): number | undefined {
  if (text === undefined || !/\d\d:\d\d:\d\d/.test(text)) return undefined;
  const time = Date.parse(/(?:GMT|UTC)\s*$/i.test(text) ? text : `${text} GMT`);
  return Number.isNaN(time) ? undefined : time;
}
