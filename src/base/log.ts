import { type Logger, pino } from 'pino';

export type { Logger };

export interface LogOptions {
  readonly level: string;
  /** `pretty` only where a person reads along on a terminal. */
  readonly format: 'json' | 'pretty';
}

/** Anything under these keys is a secret wherever it turns up. */
const SECRET_KEYS = ['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey'];

export function createLog(options: LogOptions): Logger {
  return pino({
    level: options.level,
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '(secret)' },
    ...(options.format === 'pretty' && {
      transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname', translateTime: 'HH:MM:ss' } },
    }),
  });
}
