import type { ServerResponse } from 'node:http';
import type { ByteRange, OpenBlob } from '../../uploads/downloads.ts';

/**
 * Sends bytes of an open blob and ends the response. A chunk is given back to the store when the socket has taken
 * it; a client that is gone, or takes nothing for `idleTimeoutMs` ms, ends it. Resolves with the bytes sent; the
 * response is destroyed where that is not all.
 */
export async function sendBlob(
  res: ServerResponse,
  blob: OpenBlob,
  { start, end }: ByteRange,
  idleTimeoutMs: number,
): Promise<number> {
  const writer = createWriter(res, idleTimeoutMs);
  let sent = 0;
  try {
    for await (const chunk of blob.read(start, end)) {
      if (!(await writer.write(chunk))) return sent;
      sent += chunk.length;
    }
    res.end();
    return sent;
  } finally {
    writer.stop();
    if (sent < end - start) res.destroy();
  }
}

/** One chunk at a time, with one listener for the whole response. */
function createWriter(res: ServerResponse, idleTimeoutMs: number) {
  let settle: ((taken: boolean) => void) | undefined;
  const onClose = () => settle?.(false);
  const onTaken = (error?: Error | null) => settle?.(!error);
  const stalled = setTimeout(() => res.destroy(), idleTimeoutMs);
  res.on('close', onClose);
  return {
    /** True when the socket has taken all of it. */
    write(chunk: Uint8Array): Promise<boolean> {
      if (res.destroyed) return Promise.resolve(false);
      stalled.refresh();
      return new Promise((resolve) => {
        settle = resolve;
        res.write(chunk, onTaken);
      });
    },
    stop(): void {
      clearTimeout(stalled);
      res.off('close', onClose);
    },
  };
}
