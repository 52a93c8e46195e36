import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Bounds for reading on after an answer that came before the end of the body. A client that sends before it
 * listens gets the answer only if its bytes are taken meanwhile: closing at once would reset the connection.
 */
export interface DrainLimits {
  /** Milliseconds in all. */
  readonly totalMs: number;
  /** Milliseconds without a byte. */
  readonly idleMs: number;
  readonly bytes: number;
}

export const DRAIN_LIMITS: DrainLimits = { totalMs: 30_000, idleMs: 5_000, bytes: 256 * 1024 * 1024 };

/**
 * Ends a response whose answer is written but whose request may still be coming: reads on and throws away, within
 * bounds, then ends.
 */
export function drainRequest(req: IncomingMessage, res: ServerResponse, bounds = DRAIN_LIMITS): void {
  if (req.complete || req.destroyed) {
    res.end();
    return;
  }
  let left = bounds.bytes;
  const giveUp = () => res.socket?.destroySoon();
  const whole = setTimeout(giveUp, bounds.totalMs);
  const idle = setTimeout(giveUp, bounds.idleMs);
  req.on('data', (chunk: Buffer) => {
    idle.refresh();
    left -= chunk.length;
    if (left < 0) giveUp();
  });
  req.on('end', () => res.end());
  res.on('close', () => {
    clearTimeout(whole);
    clearTimeout(idle);
  });
  req.resume();
}
