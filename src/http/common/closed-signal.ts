import type { ServerResponse } from 'node:http';

/** Returns a signal that is aborted when the response closes: the client has disconnected, or the answer is complete. */
export function closedSignal(res: ServerResponse): AbortSignal {
  const closed = new AbortController();
  res.once('close', () => closed.abort());
  return closed.signal;
}
