import type { ServerResponse } from 'node:http';
import type { ByteRange, OpenBlob } from '../../uploads/downloads.ts';

/**
 * Sends a range of an open blob and ends the response. The next chunk is requested when the socket has accepted the last
 * one, so that the store can reuse its buffer. Stops if the client disconnects or accepts nothing for `idleTimeoutMs`.
 * Resolves with the number of bytes sent. Destroys the response if that is not the whole range.
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

/** Writes one chunk at a time, with one `close` listener for the whole response. */
function createWriter(res: ServerResponse, idleTimeoutMs: number) {
  let settle: ((accepted: boolean) => void) | undefined;
  const onClose = () => settle?.(false);
  const onWritten = (error?: Error | null) => settle?.(!error);
  const stallTimer = setTimeout(() => res.destroy(), idleTimeoutMs);
  res.on('close', onClose);
  return {
    /** Resolves with true when the socket has accepted the whole chunk, with false if it is closed. */
    write(chunk: Uint8Array): Promise<boolean> {
      if (res.destroyed) return Promise.resolve(false);
      stallTimer.refresh();
      return new Promise((resolve) => {
        settle = resolve;
        res.write(chunk, onWritten);
      });
    },
    stop(): void {
      clearTimeout(stallTimer);
      res.off('close', onClose);
    },
  };
}
