import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { interopVersion } from './upload-headers.ts';

const UPLOAD_RESUMPTION_SUPPORTED = 104;
// Without this entry Node writes the reason phrase "unknown".
STATUS_CODES[UPLOAD_RESUMPTION_SUPPORTED] = 'Upload Resumption Supported';

/** Sends `104 Upload Resumption Supported`. Does nothing once the final answer has begun. */
export function sendInterim(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.headersSent || response.destroyed) return;
  const version = interopVersion(request);
  if (version === undefined) return;
  const fields = { ...headers, 'Upload-Draft-Interop-Version': version };
  response.writeInformation(UPLOAD_RESUMPTION_SUPPORTED, fields);
}
