import type { ServerResponse } from 'node:http';

/** Aborts when the client has gone. */
export function closedSignal(res: ServerResponse): AbortSignal {
  const closed = new AbortController();
  res.once('close', () => closed.abort());
  return closed.signal;
}
