import { openRequest } from '../../support/http.ts';

/** A PATCH of a resumable upload that pauses after its first bytes. */
export interface PausedAppend {
  /** Returns how many bytes of the file the server has reported as durable. */
  durable(): number;
  /** Closes the connection. */
  destroy(): void;
}

/** Sends the next bytes of a file, whose rest the request announces. `url`: of the upload resource. */
export function beginAppend(
  url: string,
  { offset, size, bytes }: { readonly offset: number; readonly size: number; readonly bytes: Uint8Array },
): PausedAppend {
  const request = openRequest(url, {
    method: 'PATCH',
    headers: {
      'Content-Type': 'application/partial-upload',
      'Content-Length': size - offset,
      'Upload-Draft-Interop-Version': '8',
      'Upload-Offset': offset,
      'Upload-Complete': '?1',
    },
  });
  let durable = 0;
  request.on('information', ({ headers }) => {
    durable = Number(headers['upload-offset']);
  });
  // The server is killed before it answers.
  request.on('error', () => undefined);
  request.write(bytes);
  return { durable: () => durable, destroy: () => request.destroy() };
}
