import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { randomId } from '../../src/base/ids.ts';
import { startNginx } from '../../test/real/nginx.ts';
import { freePort } from '../../test/real/ports.ts';
import { FILE_TYPE, type FileServer } from './file-server.ts';

/**
 * nginx with one worker, `sendfile` and `tcp_nopush` as Debian sets them, connections kept; PUT by its own WebDAV
 * module. No `open_file_cache`: the measurement beside prosody-filer was made without.
 */
export async function nginxServer(folder: string): Promise<FileServer> {
  const files = join(folder, 'nginx-files');
  await mkdir(files, { recursive: true });
  const port = await freePort();
  await startNginx(port, serverBlock(port, files));
  return {
    name: 'nginx',
    url: `http://127.0.0.1:${port}`,
    files,
    slots: async (count) => Array.from({ length: count }, freshSlot),
  };
}

/** Folders as Porter has them, so that both spread their files alike. */
function freshSlot() {
  const id = randomId();
  const path = `/${id.slice(0, 2)}/${id}.bin`;
  return { putPath: path, headers: { 'Content-Type': FILE_TYPE }, getPath: path };
}

// `client_body_temp_path` beside the files, so that the last step of a PUT is a rename and no copy.
const serverBlock = (port: number, files: string) => `
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${files};
    default_type ${FILE_TYPE};
    client_max_body_size 0;
    client_body_buffer_size 64k;
    location / {
      dav_methods PUT DELETE;
      create_full_put_path on;
    }
  }
`;
