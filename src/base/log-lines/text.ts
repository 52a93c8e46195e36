import { styleText } from 'node:util';
import { formatSize } from '../units.ts';

interface TextOptions {
  readonly format: 'pretty' | 'journal';
  readonly isColored: boolean;
}

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One line of the JSON log. */
interface LogRecord {
  readonly level: Level;
  /** ISO 8601. */
  readonly time: string;
  readonly msg?: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
}

/** Fields that are not shown: the journal records them, and `err` is shown after the message. */
const HIDDEN = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'err']);

/** Fields in bytes. */
const SIZES = new Set(['size', 'bytes', 'free']);

/** Syslog priorities (sd-daemon(3)). */
const PRIORITIES: Record<Level, number> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

const COLORS = {
  trace: 'gray',
  debug: 'gray',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'magenta',
} as const;

/**
 * Returns a function that formats one line of the JSON log as text: `upload stored  owner=romeo@example.org size="1.2 MiB"`. For the
 * journal each line starts with its priority, such as `<6>`; for a terminal with the time and the level.
 */
export function createTextFormatter({ format, isColored }: TextOptions): (json: string) => string {
  const style = (color: Parameters<typeof styleText>[0], text: string) =>
    isColored ? styleText(color, text, { validateStream: false }) : text;
  const prefixOf =
    format === 'journal'
      ? ({ level }: LogRecord) => `<${PRIORITIES[level]}>`
      : ({ level, time }: LogRecord) =>
          `${style('gray', localTime(time))} ${style(COLORS[level], level.toUpperCase().padEnd(5))} `;
  return (json) => {
    const record = JSON.parse(json) as LogRecord;
    const prefix = prefixOf(record);
    const continuation = format === 'journal' ? `${prefix}    ` : '    ';
    const [first = '', ...stack] = formatRecord(record);
    const fields = formatFields(record);
    const line = `${prefix}${first}${fields === '' ? '' : `  ${style('gray', fields)}`}`;
    return [line, ...stack.map((frame) => continuation + frame)].map((text) => `${text}\n`).join('');
  };
}

/** Returns the message with the text of its error, and the frames of the stack. */
function formatRecord({ msg = '', err }: LogRecord): string[] {
  const reason = err?.message ?? '';
  const isRepeated = reason === '' || msg.includes(reason);
  const text = isRepeated ? msg : [msg.replace(/[.:]$/, ''), reason].filter((part) => part !== '').join(': ');
  const frames = (err?.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [escapeInvisible(text), ...frames.map((frame) => escapeInvisible(frame.trim()))];
}

function formatFields(record: LogRecord): string {
  return Object.entries(record)
    .filter(([key, value]) => !HIDDEN.has(key) && value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${formatValue(key, value)}`)
    .join(' ');
}

function formatValue(key: string, value: unknown): string {
  if (typeof value === 'number' && SIZES.has(key)) return quote(formatSize(value));
  return quote(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Quotes a text that contains white space, quotes, `=` or invisible characters. */
const quote = (text: string) =>
  /^[^\s"=\p{C}]+$/u.test(text) ? text : `"${escapeInvisible(text.replace(/["\\]/g, '\\$&'))}"`;

/** Escapes invisible characters. File names come from users: they must not break lines, send terminal escapes or reverse a line. */
const escapeInvisible = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
    return `\\u{${hex}}`;
  });

/** Formats a time such as `10:33:22` in the time zone of this machine. */
const localTime = (iso: string) => new Date(iso).toTimeString().slice(0, 8);
