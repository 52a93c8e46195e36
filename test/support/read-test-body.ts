import type { IncomingMessage } from 'node:http';
import { readBody } from '../../src/http/common/read-body.ts';
import { createTransfers } from '../../src/uploads/transfers.ts';

/** Reads a body as the endpoints do, with time limits that a test does not reach. */
export function readTestBody(request: IncomingMessage): Promise<Buffer> {
  return readBody(request, {
    maxBytes: 16 * 1024 * 1024,
    idleTimeoutMs: 60_000,
    memoryBudget: createTransfers().memory,
    content: 'body',
  });
}
