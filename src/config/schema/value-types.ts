import { validateHeaderName, validateHeaderValue } from 'node:http';
import { RE2JS } from 're2js';
import * as z from 'zod';
import { parseAddressRange } from '../../base/addresses.ts';
import { describeInvalidJid, formatBareJid, parseJid } from '../../base/jid.ts';
import { describeMissingUnit, formatPeriod, formatSize, parsePeriod, parseSize } from '../../base/units.ts';

/** The description of a type of value, for the reference page. */
export interface ValueTypeInfo {
  /** A word or two for the table: `size`, `period`, `one of …`. */
  readonly type: string;
  /** `1 s to 7 d`. */
  readonly bounds?: string;
  /** True for a secret. Its value is never shown, and may be given as `x_file`. */
  readonly secret?: boolean;
  /** True if the value may contain a password. Error messages do not show the value; `visibleOptions` hides the password. */
  readonly mayContainPassword?: boolean;
}

/** The description of each type, by its schema. */
export const valueTypes = z.registry<ValueTypeInfo>();

/** Thrown by `read` functions that can explain a problem better than "expected …". */
export class InvalidValueError extends Error {}

const MAX_SHOWN = 60;

/** Formats a value of the file for an error message. Shortens long texts. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section (lines of `key: value`)';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/**
 * Creates the schema of a single value. `read` parses the YAML value; it returns undefined or throws
 * `InvalidValueError` if the value is invalid. `expected` completes the sentence "expected …".
 */
export function valueType<T>(
  facts: ValueTypeInfo,
  expected: string,
  read: (value: unknown) => T | undefined,
) {
  const schema = z.unknown().transform((value, context): T => {
    const complaint = (message: string) => {
      context.issues.push({ code: 'custom', message, input: undefined });
      return z.NEVER;
    };
    if (value === undefined) return complaint(`is missing; expected ${expected}`);
    try {
      const result = read(value);
      if (result !== undefined) return result;
    } catch (error) {
      if (error instanceof InvalidValueError) return complaint(error.message);
      throw error;
    }
    const hidden = facts.secret === true || facts.mayContainPassword === true;
    return complaint(`expected ${expected}${hidden ? '' : `, got ${describeValue(value)}`}`);
  });
  valueTypes.add(schema, facts);
  return schema;
}

const isPlain = (value: unknown) => typeof value === 'string' || typeof value === 'number';

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

function within(value: number, { min, max }: Bounds, show: (value: number) => string, hint = ''): number {
  if (min !== undefined && value < min) throw new InvalidValueError(`must be at least ${show(min)}${hint}`);
  if (max !== undefined && value > max) throw new InvalidValueError(`must be at most ${show(max)}`);
  return value;
}

function boundsWord({ min, max }: Bounds, show: (value: number) => string): Pick<ValueTypeInfo, 'bounds'> {
  if (max !== undefined) return { bounds: `${show(min ?? 0)} to ${show(max)}` };
  return min === undefined || min <= 1 ? {} : { bounds: `at least ${show(min)}` };
}

/** Parses a size to bytes. */
export function size(bounds: Bounds & { readonly hint?: string } = {}) {
  return valueType(
    { type: 'size', ...boundsWord(bounds, formatSize) },
    'a size such as 512 KiB, 10 MB or plain bytes',
    (value) => {
      const bytes = isPlain(value) ? parseSize(value as string | number) : undefined;
      return bytes === undefined ? undefined : within(bytes, bounds, formatSize, bounds.hint);
    },
  );
}

const PERIOD = 'a period such as 90s, 15m, 1h or 30d';

function readPeriod(value: unknown, bounds: Bounds): number | undefined {
  const ms = isPlain(value) ? parsePeriod(value as string | number) : undefined;
  if (ms !== undefined) return within(ms, bounds, formatPeriod);
  const missing = isPlain(value) ? describeMissingUnit(value as string | number) : undefined;
  if (missing !== undefined) throw new InvalidValueError(missing);
  return undefined;
}

/** Parses a period to milliseconds. */
export function period(bounds: Bounds = {}) {
  return valueType({ type: 'period', ...boundsWord(bounds, formatPeriod) }, PERIOD, (value) =>
    readPeriod(value, bounds),
  );
}

/** Parses a period to milliseconds. Returns null for `never`. */
export function periodOrNever(bounds: Bounds = {}) {
  return valueType<number | null>(
    { type: 'period or `never`', ...boundsWord(bounds, formatPeriod) },
    `${PERIOD}, or never`,
    (value) => {
      if (value === 'never') return null;
      if (value === 0 || value === '0') throw new InvalidValueError('0 is ambiguous; write never');
      return readPeriod(value, bounds);
    },
  );
}

/** Parses a period to milliseconds. Returns null for 0, which turns the option off. */
export function periodOrOff(bounds: Bounds = {}) {
  return valueType<number | null>(
    { type: 'period, 0 = off', ...boundsWord(bounds, formatPeriod) },
    `${PERIOD}, or 0 for off`,
    (value) => (value === 0 || value === '0' ? null : readPeriod(value, bounds)),
  );
}

export function integer({ hint, ...bounds }: Bounds & { readonly hint?: string }) {
  return valueType({ type: 'whole number', ...boundsWord(bounds, String) }, 'a whole number', (value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    return Number.isSafeInteger(number) ? within(number as number, bounds, String, hint) : undefined;
  });
}

export function bool() {
  return valueType<boolean>({ type: '`true` or `false`' }, 'true or false', (value) =>
    value === 'true' || value === 'false' ? value === 'true' : typeof value === 'boolean' ? value : undefined,
  );
}

export function oneOf<const T extends readonly string[]>(words: T) {
  const list = words.map((word) => `\`${word}\``).join(', ');
  return valueType<T[number]>({ type: list }, `one of ${words.join(', ')}`, (value) =>
    words.find((word) => word === value),
  );
}

function readText(value: unknown): string | undefined {
  if (typeof value === 'number') throw new InvalidValueError('expected text: put the number in quotes');
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}

export function nonEmptyText() {
  return valueType({ type: 'text' }, 'text', readText);
}

/** Parses a secret: one line of text. It is never shown, and may be given as `x_file`. */
export function secret() {
  return valueType({ type: 'secret', secret: true }, 'a secret: text that is not empty', (value) => {
    const found = readText(value);
    if (found !== undefined && /[\r\n]/.test(found))
      throw new InvalidValueError('a secret must be a single line');
    return found;
  });
}

/** Checks a regular expression in the syntax of RE2, which matches in linear time. Returns its text; `policy/` compiles it. */
export function pattern() {
  return valueType({ type: 'pattern' }, "a pattern such as '@example\\.org$', in quotes", (value) => {
    const found = readText(value);
    if (found === undefined) return undefined;
    // `"\b"` is a backspace in YAML.
    if (/\p{Cc}/u.test(found))
      throw new InvalidValueError(
        'has a control character: write patterns in single quotes, where a backslash is kept',
      );
    try {
      RE2JS.compile(found);
      return found;
    } catch (error) {
      const why = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : '';
      throw new InvalidValueError(
        `is not a valid pattern: ${why} (the syntax is RE2, without look-around and back-references)`,
      );
    }
  });
}

export function addressRange() {
  return valueType(
    { type: 'address or CIDR range' },
    'an address or range such as 127.0.0.0/8 or "::1"',
    (value) => (typeof value === 'string' && parseAddressRange(value) ? value.trim() : undefined),
  );
}

/** Parses a JID without a resource. Returns it normalized. */
export function jid() {
  return valueType({ type: 'JID' }, 'a JID such as user@example.org', (value) => {
    if (typeof value !== 'string') return undefined;
    const parsed = parseJid(value);
    if (parsed === undefined) throw new InvalidValueError(describeInvalidJid(value));
    return parsed.resource === '' ? formatBareJid(parsed) : undefined;
  });
}

/** Parses the bare JID of an account. Returns it normalized, as the owner of its uploads. */
export function accountJid() {
  return valueType({ type: 'JID' }, 'the JID of an account, such as admin@example.org', (value) => {
    if (typeof value !== 'string') return undefined;
    const parsed = parseJid(value);
    if (parsed === undefined) throw new InvalidValueError(describeInvalidJid(value));
    return parsed.local !== '' && parsed.resource === '' ? formatBareJid(parsed) : undefined;
  });
}

/** Parses a JID that is only a domain. Returns it normalized. */
export function domainJid() {
  return valueType({ type: 'domain' }, 'a domain such as upload.example.org', (value) => {
    const parsed = typeof value === 'string' ? parseJid(value) : undefined;
    return parsed && parsed.local === '' && parsed.resource === '' ? parsed.domain : undefined;
  });
}

/** Parses a media type or range. Returns it in lower case. */
export function mediaRange() {
  return valueType({ type: 'media type' }, 'a media type or range such as image/png or image/*', (value) => {
    if (typeof value !== 'string') return undefined;
    const range = value.trim().toLowerCase();
    return /^(?:\*\/\*|[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+))$/.test(range) ? range : undefined;
  });
}

/** Parses a media type without parameters. Returns it in lower case. */
export function mediaType() {
  return valueType({ type: 'media type' }, 'a media type such as image/png', (value) => {
    if (typeof value !== 'string') return undefined;
    const type = value.trim().toLowerCase();
    return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type) ? type : undefined;
  });
}

/** Parses the path of a file. The loader makes it absolute (`resolvePaths`). */
export function filePath() {
  return valueType({ type: 'file' }, 'the path of a file', readText);
}

/** Headers that Porter or Node.js sets, so that the config must not set them. */
const OWN_HEADERS =
  /^(?:content-(?:type|length|range|encoding)|etag|last-modified|accept-ranges|transfer-encoding|connection|date|trailer|upgrade)$/i;

export function headerName() {
  return valueType({ type: 'header' }, 'the name of a header', (value) => {
    if (typeof value !== 'string') return undefined;
    if (OWN_HEADERS.test(value)) throw new InvalidValueError('Porter sets this header itself');
    return passes(() => validateHeaderName(value)) ? value : undefined;
  });
}

export function headerValue() {
  return valueType({ type: 'text' }, 'the value of a header: text of one line', (value) => {
    const found = readText(value);
    return found !== undefined && passes(() => validateHeaderValue('x', found)) ? found : undefined;
  });
}

/** Returns false if the check throws. */
function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
