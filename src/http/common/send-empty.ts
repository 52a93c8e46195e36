import type { ServerResponse } from 'node:http';
import { CORS_HEADER_LIST } from './cors.ts';

/** An answer without a body, and with CORS as all. */
export function sendEmpty(res: ServerResponse, status: number, extra: readonly string[] = []): undefined {
  res.writeHead(status, ['Content-Length', '0', ...extra, ...CORS_HEADER_LIST]).end();
}
