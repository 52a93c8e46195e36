import { fstatSync } from 'node:fs';
import { type Logger, type LoggerOptions, pino } from 'pino';
import { hasKnownCause } from './log-lines/known-errors.ts';
import { createTextFormatter } from './log-lines/text.ts';

export type { Logger };

/**
 * - `json`: one object per line
 * - `pretty`: text for a terminal
 * - `journal`: text for the journal of systemd, with the priority in front (sd-daemon(3))
 */
export type LogFormat = 'json' | 'pretty' | 'journal';

export interface LogOptions {
  readonly level: string;
  readonly format: LogFormat;
  /** File descriptor: 1 for a server; 2 for commands, which print their results to 1. */
  readonly destination?: 1 | 2;
}

/** Keys whose values are replaced by `(secret)`, at the first three levels of a record. */
const SECRET_KEYS = new Set(['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey']);

const LEVELS = 3;

/** Creates a log. Secrets are hidden by their keys, and stacks of errors with a known cause are left out unless the level is `debug`. */
export function createLog({ level, format, destination = 1 }: LogOptions): Logger {
  const options: LoggerOptions = {
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: hideSecrets },
    serializers: { err: (err: unknown) => serializeError(err, log.isLevelEnabled('debug')) },
  };
  const output = pino.destination(destination);
  const log = pino(options, format === 'json' ? output : formatLines(output, format, destination));
  return log;
}

function formatLines(output: { write(text: string): unknown }, format: 'pretty' | 'journal', fd: 1 | 2) {
  const isColored = format === 'pretty' && (fd === 1 ? process.stdout : process.stderr).isTTY === true;
  const formatLine = createTextFormatter({ format, isColored });
  return { write: (line: string) => void output.write(formatLine(line)) };
}

/** Returns the logged form of an error. Omits the stack of an error with a known cause, unless `debug` is set. */
function serializeError(err: unknown, debug: boolean): unknown {
  if (!(err instanceof Error)) return err;
  const { stack, ...serialized } = pino.stdSerializers.err(err);
  const message = serialized.message || firstMessage(err);
  return hideSecrets({ ...serialized, message, ...((debug || !hasKnownCause(err)) && { stack }) });
}

/** Returns a message for an error without one: Node.js reports so if none of the addresses of a host can be reached. */
function firstMessage(err: Error): string {
  const [first] = err instanceof AggregateError ? err.errors : [];
  return first instanceof Error ? first.message : err.name;
}

/**
 * Returns the object with `(secret)` in place of the secrets in its first three levels; the same object if it has none. The `redact`
 * option of pino copies every object and parses its wildcards for every line, which takes seven times as long as the line itself.
 */
function hideSecrets<T extends object>(object: T, levels = LEVELS): T {
  let copy: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(object)) {
    const shown = SECRET_KEYS.has(key) ? '(secret)' : hideWithin(value, levels - 1);
    if (shown === value) continue;
    copy ??= copyOf(object);
    copy[key] = shown;
  }
  return (copy as T | undefined) ?? object;
}

/** The serializer of errors hides theirs. */
function hideWithin(value: unknown, levels: number): unknown {
  const hasSecrets = levels > 0 && typeof value === 'object' && value !== null && !(value instanceof Error);
  return hasSecrets ? hideSecrets(value, levels) : value;
}

const copyOf = (object: object) =>
  (Array.isArray(object) ? [...object] : { ...object }) as Record<string, unknown>;

/**
 * Returns true if this file descriptor is connected to the journal of systemd. `JOURNAL_STREAM` then contains its device and inode
 * (systemd.exec(5)).
 */
export function isJournal(
  fd: 1 | 2,
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  if (env.JOURNAL_STREAM === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return env.JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
