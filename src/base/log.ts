import { type Logger, type LoggerOptions, pino } from 'pino';
import { build as pretty } from 'pino-pretty';

export type { Logger };

export interface LogOptions {
  readonly level: string;
  /** `pretty` is for reading on a terminal. */
  readonly format: 'json' | 'pretty';
  /** File descriptor: 1 for a server; 2 for commands, which print their results to 1. */
  readonly destination?: 1 | 2;
}

/** Values of these keys are never logged, at any of the first three levels. */
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
