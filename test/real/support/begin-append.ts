import type { Agent } from 'node:http';
import { openRequest } from '../../support/http.ts';

/** A PATCH of a resumable upload that pauses after its first bytes. */
export interface PausedAppend {
  /** Returns how many bytes of the file the server has reported as durable. */
  durable(): number;
  /** Returns the status of the answer, or undefined before it. */
  status(): number | undefined;
  /** Closes the connection. */
  destroy(): void;
}

interface AppendParts {
  readonly offset: number;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly agent?: Agent;
}

/** Sends the next bytes of a file, whose rest the request announces. `url`: of the upload resource. */
export function beginAppend(url: string, { offset, size, bytes, agent }: AppendParts): PausedAppend {
  const request = openRequest(url, {
    method: 'PATCH',
    ...(agent && { agent }),
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
  let status: number | undefined;
  request.on('response', (response) => {
    status = response.resume().statusCode;
  });
  // The server is killed before it answers.
  request.on('error', () => undefined);
  request.write(bytes);
  return { durable: () => durable, status: () => status, destroy: () => request.destroy() };
}
