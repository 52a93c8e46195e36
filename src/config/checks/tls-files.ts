import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ConfigProblem } from '../config-error.ts';
import { fileErrorReason } from '../environment-and-secrets.ts';
import type { ConfigOptions } from '../schema/config-schema.ts';
import { complainTo, type Lines } from './complain.ts';

/** Loads certificate and key as the server does, with absolute paths. Returns the problems that it would stop with. */
export function findTlsProblems(tls: ConfigOptions['tls'], lines: Lines): ConfigProblem[] {
  if (!tls) return [];
  const problems: ConfigProblem[] = [];
  const complain = complainTo(problems, lines);
  const read = (key: 'cert' | 'key') => {
    try {
      return readFileSync(tls[key]);
    } catch (error) {
      complain(`tls.${key}`, `cannot be read: ${fileErrorReason(error)}`);
      return undefined;
    }
  };
  const [cert, key] = [read('cert'), read('key')];
  if (!cert || !key) return problems;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    complain('tls', `certificate and key cannot be used together: ${reason}`);
  }
  return problems;
}
