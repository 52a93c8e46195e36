import { createHmac } from 'node:crypto';
import { randomId } from '../../src/base/ids.ts';
import { FILE_NAME, FILE_TYPE, type UploadSlot } from '../servers/file-server.ts';

/** The secret of all servers of the benchmark that accept signed links. */
export const SIGNING_SECRET = 'secret of the benchmark';
/** The path at which their links begin. */
export const SIGNED_PATH = '/upload/';

/** Returns links as Prosody's mod_http_upload_external signs them (docs/protocols.md, "Signed links: HMAC"). */
export function signedSlots(count: number, size: number): UploadSlot[] {
  return Array.from({ length: count }, () => {
    const path = `${randomId()}/${FILE_NAME}`;
    const signature = createHmac('sha256', SIGNING_SECRET).update(`${path} ${size}`).digest('hex');
    const getPath = SIGNED_PATH + path;
    return { getPath, putPath: `${getPath}?v=${signature}`, headers: { 'Content-Type': FILE_TYPE } };
  });
}
