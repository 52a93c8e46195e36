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
const SECRET_KEYS = ['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey'];

/** Creates a log. Secrets are left out by their keys, and stacks of errors with a known cause unless the level is `debug`. */
export function createLog({ level, format, destination = 1 }: LogOptions): Logger {
  const options: LoggerOptions = {
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: (err: unknown) => serializeError(err, log.isLevelEnabled('debug')) },
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '(secret)' },
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
  return { ...serialized, message, ...((debug || !hasKnownCause(err)) && { stack }) };
}

/** Returns a message for an error without one: Node.js reports so if none of the addresses of a host can be reached. */
function firstMessage(err: Error): string {
  const [first] = err instanceof AggregateError ? err.errors : [];
  return first instanceof Error ? first.message : err.name;
}

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
