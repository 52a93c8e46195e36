import { type Logger, type LoggerOptions, pino } from 'pino';
import { build as pretty } from 'pino-pretty';

export type { Logger };

export interface LogOptions {
  readonly level: string;
  /** `pretty` only where a person reads along on a terminal. */
  readonly format: 'json' | 'pretty';
  /** File descriptor: 1 for a server, 2 for commands, whose results go to 1. */
  readonly destination?: 1 | 2;
}

/** Anything under these keys is a secret wherever it turns up. */
const SECRET_KEYS = ['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey'];

export function createLog({ level, format, destination = 1 }: LogOptions): Logger {
  const options: LoggerOptions = {
    level,
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '(secret)' },
  };
  return format === 'json'
    ? pino(options, pino.destination(destination))
    : pino(options, prettyOn(destination));
}

function prettyOn(destination: 1 | 2) {
  return pretty({ destination, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' });
}
